-- What providers did with the mail of the window, per relay.
WITH
{{whole_hours}}
SELECT provider, relay, sum(tries) AS attempts, sumIf(tries, kind = 'delivered') AS delivered,
       sumIf(tries, kind = 'deferred') AS deferred, sumIf(tries, kind IN ('bounced', 'expired')) AS failed,
       100 * deferred / attempts AS deferred_percent, 100 * failed / attempts AS failed_percent
FROM (SELECT provider, relay, kind, attempts AS tries
      FROM {{rates_of_window}}
      WHERE attempts > 0 AND provider != '' AND {{direction}} AND $__conditionalAll(provider IN (${provider:singlequote}), $provider))
GROUP BY provider, relay
ORDER BY attempts DESC, provider, relay
