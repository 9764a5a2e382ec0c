//! The default values of the configuration. The JSON schema, `docs/configuration.md` and the typed `Config` take them from
//! here.

use super::raw::{RawClickHouse, RawDetect, RawServe, RawStore, RawTail};

impl Default for RawStore {
    fn default() -> Self {
        Self {
            url: None,
            ship: None,
            outbox_mib_max: 10_240,
            lost_found_mib_max: 1_024,
            query_mib_max: 512,
            query_s_max: 120,
            retain_days: 90,
            segment_rows_max: 150_000,
            segment_mib_max: 48,
            open_messages_max: 200_000,
            services_max: 1_000,
            hosts_max: 1_000,
            derive: None,
        }
    }
}

impl Default for RawClickHouse {
    fn default() -> Self {
        Self {
            password_file: None,
            ca_file: None,
            read_timeout_s: 60,
            insert_timeout_s: 120,
            ship_every_s: 10,
        }
    }
}

impl Default for RawTail {
    fn default() -> Self {
        Self {
            poll_ms: 1_500,
            rescan_s: 10,
            deleted_wait_s: 60,
            open_files_max: 512,
            link_s: 60,
            watch: true,
        }
    }
}

impl Default for RawDetect {
    fn default() -> Self {
        Self {
            false_alarms_per_service_per_90_days: 1.0,
            timezone: None,
            holidays: Vec::new(),
            send_provisional: false,
            owner: None,
        }
    }
}

impl Default for RawServe {
    fn default() -> Self {
        Self {
            listen: None,
            url_base: None,
            auth: None,
            token_file: None,
            trusted_proxies: Vec::new(),
            hosts: Vec::new(),
            timezone: None,
            connections_max: 512,
            streams_max: 256,
            questions_max: 2,
        }
    }
}
