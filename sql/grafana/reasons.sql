-- Why recipients were deferred, bounced, or refused, by reason, code, and next hop.
SELECT kind, reason, smtp_code, enhanced_code, remote_host, count() AS attempts, sum(recipients) AS recipients
FROM events
WHERE {{window}} AND kind IN ('deferred', 'bounced', 'expired', 'rejected') AND {{direction}}
      AND $__conditionalAll(service IN (${service:singlequote}), $service)
      AND $__conditionalAll(provider IN (${provider:singlequote}), $provider)
GROUP BY kind, reason, smtp_code, enhanced_code, remote_host
ORDER BY attempts DESC, kind, reason, remote_host
LIMIT 50
-- A part of the table's key is looked at before rows are corrected: a fifth of the time.
SETTINGS optimize_move_to_prewhere_if_final = 1
