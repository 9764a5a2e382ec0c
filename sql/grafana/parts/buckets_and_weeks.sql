(ts_ms >= begin_ms AND ts_ms < to_ms
               OR ts_ms >= begin_ms - week_ms AND ts_ms < to_ms - week_ms
               OR ts_ms >= begin_ms - 2 * week_ms AND ts_ms < to_ms - 2 * week_ms
               OR ts_ms >= begin_ms - 3 * week_ms AND ts_ms < to_ms - 3 * week_ms
               OR ts_ms >= begin_ms - 4 * week_ms AND ts_ms < to_ms - 4 * week_ms)
