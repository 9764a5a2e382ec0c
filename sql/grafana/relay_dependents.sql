-- Services whose mail left through the relay in the window, with its share of each: at 100 %, they depend on it alone.
WITH
{{whole_hours}}
SELECT service, sumIf(messages, relay = ${relay:singlequote}) AS through_it, sum(messages) AS all_messages,
       100 * through_it / all_messages AS share_percent
FROM (SELECT service, relay, messages
      FROM {{rates_of_window}}
      WHERE kind = 'delivered' AND destination = 'remote' AND messages > 0 AND {{direction}})
GROUP BY service
HAVING through_it > 0
ORDER BY share_percent DESC, through_it DESC, service
