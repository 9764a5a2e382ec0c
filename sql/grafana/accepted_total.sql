-- Messages that the relays accepted, counted once, where they enter the mail system.
SELECT sum(messages) AS messages
FROM rates
WHERE {{window}} AND kind = 'accepted' AND first_hop AND {{direction}}
