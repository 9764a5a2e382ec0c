//! Debian's server as a real process, as far as it can.

use super::PASSWORD;
use crate::util::{Place, Reserved, Run};
use std::fs;
use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

/// Debian's server is of 2018: too old for the schema, and a real process that answers, refuses, dies and comes back.
struct OldServer {
    folder: PathBuf,
    port: u16,
    child: Child,
}

impl OldServer {
    fn start(folder: PathBuf, port: u16) -> OldServer {
        let shown = folder.display();
        for name in ["data", "tmp"] {
            fs::create_dir_all(folder.join(name)).unwrap();
        }
        let config = format!(
            "<yandex><logger><level>warning</level><console>1</console></logger><http_port>{port}</http_port>\
             <listen_host>127.0.0.1</listen_host><path>{shown}/data/</path><tmp_path>{shown}/tmp/</tmp_path>\
             <users_config>{shown}/users.xml</users_config><default_profile>default</default_profile>\
             <default_database>default</default_database><mark_cache_size>1000000</mark_cache_size></yandex>"
        );
        let users = format!(
            "<yandex><profiles><default/></profiles><quotas><default/></quotas><users><mailpulse><password>{PASSWORD}\
             </password><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota></mailpulse>\
             </users></yandex>"
        );
        fs::write(folder.join("config.xml"), config).unwrap();
        fs::write(folder.join("users.xml"), users).unwrap();
        let words = fs::File::options()
            .create(true)
            .append(true)
            .open(folder.join("words"))
            .unwrap();
        let child = crate::lab::program("/usr/sbin/clickhouse-server")
            .arg(format!("--config-file={shown}/config.xml"))
            .current_dir(&folder)
            .stdout(words.try_clone().unwrap())
            .stderr(words)
            .spawn()
            .expect("clickhouse-server starts");
        let begin = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            let words = || fs::read_to_string(folder.join("words")).unwrap();
            assert!(begin.elapsed() < Duration::from_secs(60), "no server: {}", words());
            std::thread::sleep(Duration::from_millis(50));
        }
        OldServer { folder, port, child }
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for OldServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "lab: needs clickhouse-server"]
fn a_real_server_process_answers_refuses_dies_and_comes_back() {
    use mailpulse::store::clickhouse::{ClickHouseClient, ClickHouseError, ClientOptions, Endpoint};
    let place = Place::new();
    fs::create_dir_all(place.path("old")).unwrap();
    let reserved = Reserved::new();
    let mut server = OldServer::start(place.path("old"), reserved.port());
    let at = Endpoint::parse(&format!("clickhouse://mailpulse@127.0.0.1:{}/default", server.port)).unwrap();
    let options = ClientOptions {
        password: PASSWORD.to_owned(),
        read_timeout: Duration::from_secs(10),
        ..ClientOptions::default()
    };
    let client = ClickHouseClient::new(&at, &options).unwrap();
    client
        .execute("CREATE TABLE t (a Int64, b String) ENGINE = MergeTree ORDER BY a")
        .unwrap();
    client.execute("INSERT INTO t VALUES (1, 'x'), (2, 'y''z')").unwrap();
    let sums = || client.rows("SELECT sum(a) AS s, max(b) AS m FROM t", &[]);
    assert_eq!(sums().unwrap()["data"], serde_json::json!([[3, "y'z"]]));
    // What it says is told with its number, and tells what can pass from what cannot.
    let refused = client.rows("SELECT missing FROM t", &[]).unwrap_err();
    assert!(refused.to_string().contains("missing"), "{refused}");
    let wrong = ClickHouseClient::new(
        &at,
        &ClientOptions {
            password: "wrong".to_owned(),
            ..options.clone()
        },
    )
    .unwrap();
    let refused = wrong.rows("SELECT 1", &[]).unwrap_err();
    assert!(
        refused.to_string().contains("MAILPULSE_CLICKHOUSE_PASSWORD"),
        "{refused}"
    );
    server.kill();
    let away = sums().unwrap_err();
    assert!(
        matches!(away, ClickHouseError::Unavailable { .. }) && away.can_pass(),
        "{away}"
    );
    let server = OldServer::start(server.folder.clone(), server.port);
    assert_eq!(
        sums().unwrap()["data"],
        serde_json::json!([[3, "y'z"]]),
        "port {}",
        server.port
    );
    let run = Run::of(
        place
            .command()
            .args(["--store", &at.to_string(), "store", "migrate"])
            .env("MAILPULSE_CLICKHOUSE_PASSWORD", PASSWORD)
            .output()
            .unwrap(),
    )
    .ends(2);
    assert!(run.err.contains("too old"), "{}", run.err);
}
