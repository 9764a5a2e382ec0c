    -- Hours that such a window, or one of the weeks before, has a part of: longer ones than a week overlap.
    arrayConcat(if(from_ms % 3600000 = 0, [], arrayMap(week -> from_ms - from_ms % 3600000 - week * 604800000, [0, 1, 2, 3, 4])),
                if(to_ms % 3600000 = 0, [], arrayMap(week -> whole_to_ms - week * 604800000, [0, 1, 2, 3, 4]))) AS edges
