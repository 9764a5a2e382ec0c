(SELECT ts_ms, service, hostgroup, relay, kind, destination, first_hop, origin, direction, provider, messages, recipients, attempts, bytes
      FROM rates
      WHERE (ts_ms >= from_ms - from_ms % 3600000 AND ts_ms < whole_from_ms
          OR ts_ms >= whole_to_ms AND ts_ms < to_ms + 3600000
          OR ts_ms >= from_ms - from_ms % 3600000 - week_ms AND ts_ms < whole_from_ms - week_ms
          OR ts_ms >= whole_to_ms - week_ms AND ts_ms < to_ms + 3600000 - week_ms
          OR ts_ms >= from_ms - from_ms % 3600000 - 2 * week_ms AND ts_ms < whole_from_ms - 2 * week_ms
          OR ts_ms >= whole_to_ms - 2 * week_ms AND ts_ms < to_ms + 3600000 - 2 * week_ms
          OR ts_ms >= from_ms - from_ms % 3600000 - 3 * week_ms AND ts_ms < whole_from_ms - 3 * week_ms
          OR ts_ms >= whole_to_ms - 3 * week_ms AND ts_ms < to_ms + 3600000 - 3 * week_ms
          OR ts_ms >= from_ms - from_ms % 3600000 - 4 * week_ms AND ts_ms < whole_from_ms - 4 * week_ms
          OR ts_ms >= whole_to_ms - 4 * week_ms AND ts_ms < to_ms + 3600000 - 4 * week_ms)
        AND {{window_and_weeks}}
        AND (to_ms - from_ms <= 172800000 OR has(edges, ts_ms - ts_ms % 3600000))
      UNION ALL
      SELECT ts_ms, service, hostgroup, relay, kind, destination, first_hop, origin, direction, provider, messages, recipients, attempts, bytes
      FROM rates_by_hour
      WHERE (ts_ms >= whole_from_ms AND ts_ms < whole_to_ms
          OR ts_ms >= whole_from_ms - week_ms AND ts_ms < whole_to_ms - week_ms
          OR ts_ms >= whole_from_ms - 2 * week_ms AND ts_ms < whole_to_ms - 2 * week_ms
          OR ts_ms >= whole_from_ms - 3 * week_ms AND ts_ms < whole_to_ms - 3 * week_ms
          OR ts_ms >= whole_from_ms - 4 * week_ms AND ts_ms < whole_to_ms - 4 * week_ms)
        AND NOT has(edges, ts_ms))
