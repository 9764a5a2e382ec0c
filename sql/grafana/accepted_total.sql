-- Messages that the relays accepted, counted once, where they enter the mail system.
WITH
{{whole_hours}}
SELECT sum(messages) AS messages
FROM {{rates_of_window}}
WHERE kind = 'accepted' AND first_hop AND {{direction}}
