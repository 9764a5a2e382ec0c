[sumIf(messages, ts_ms >= from_ms - week_ms AND ts_ms < to_ms - week_ms),
                sumIf(messages, ts_ms >= from_ms - 2 * week_ms AND ts_ms < to_ms - 2 * week_ms),
                sumIf(messages, ts_ms >= from_ms - 3 * week_ms AND ts_ms < to_ms - 3 * week_ms),
                sumIf(messages, ts_ms >= from_ms - 4 * week_ms AND ts_ms < to_ms - 4 * week_ms)] AS before
