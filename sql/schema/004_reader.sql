-- A role for dashboards: reads the views, and changes nothing. Grant it: GRANT mailpulse_reader TO grafana
CREATE ROLE IF NOT EXISTS mailpulse_reader{on_cluster};

GRANT{on_cluster} SELECT ON {database}.* TO mailpulse_reader;
