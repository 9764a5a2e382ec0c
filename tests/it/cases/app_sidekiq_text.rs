use super::{read_with, told};

/// `done` and `fail` say what became of a job; the dump of it and its error's text are the same failure.
const CONFIG: &str = r#"
[[source]]
kind = "pattern"
paths = ["input.log"]
service = "gitlab"
timezone = "UTC"
starts = "{time:%Y-%m-%dT%H:%M:%S}"

[[source.template]]
outcome = "submitted"
text = "{time:%Y-%m-%dT%H:%M:%S.%LZ} {_:int} {_:word} {_}Mailer JID-{key:word} INFO: done: {_} sec"

[[source.template]]
outcome = "failed"
retried = true
text = "{time:%Y-%m-%dT%H:%M:%SZ} {_:int} {_:word} {_}Mailer JID-{key:word} INFO: fail: {_} sec"
"#;

#[test]
fn a_failure_and_the_dump_of_its_job_are_one() {
    let place = read_with("40-app-sidekiq-text", CONFIG, [2, 3, 0]);
    assert_eq!(
        told(&place, "ts, kind, messages"),
        [
            "2013-03-28T17:21:44Z submit_failed 1",
            "2015-12-10T14:22:03.733Z submitted 1"
        ]
    );
}
