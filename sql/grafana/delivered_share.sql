-- Of the recipients for whom something was decided in the window, the share whose mail was delivered.
WITH
{{whole_hours}}
SELECT if(decided = 0, NULL, 100 * delivered / decided) AS delivered_percent
FROM (SELECT sumIf(recipients, kind = 'delivered' AND destination = 'remote') AS delivered,
             sumIf(recipients, kind = 'delivered' AND destination = 'remote' OR kind IN ('bounced', 'expired')) AS decided
      FROM {{rates_of_window}}
      WHERE {{direction}})
