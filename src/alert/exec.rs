//! A program that gets the notice as JSON on standard input. What it exits with decides; one that takes too long is
//! ended.

use super::delivery::one_by_one;
use super::told::json;
use super::{AlertChannel, DeliveryFault, Notice, NoticeLinks, Results, TIMEOUT, Undelivered, body};
use crate::model::time::UtcS;
use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A program.
#[derive(Debug)]
pub(crate) struct Exec {
    command: Vec<String>,
    links: NoticeLinks,
}

impl Exec {
    /// A program with its arguments.
    pub(crate) fn new(command: Vec<String>, links: NoticeLinks) -> Self {
        Exec { command, links }
    }

    fn one(&self, notice: &Notice) -> Result<(), Undelivered> {
        let [program, args @ ..] = self.command.as_slice() else {
            return Err(Undelivered::channel("exec: `command` names no program"));
        };
        let failed = |why: &dyn std::fmt::Display| Undelivered::channel(format!("{program}: {why}"));
        // Its output would mix with what this program prints.
        let mut child = Command::new(program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|why| failed(&why))?;
        let line = format!("{}\n", body(&json(notice, &self.links)));
        let input = child.stdin.take();
        // A program that does not read must not hold us; the thread ends when the program does.
        thread::spawn(move || input.map(|mut input| input.write_all(line.as_bytes())));
        let result = wait(&mut child);
        if result.is_err() {
            let _ = child.kill();
            let _ = child.wait();
        }
        // A program that ends with an error may do so for this notice alone.
        result.map_err(|why| failed(&why).with(DeliveryFault::Unclear))
    }
}

fn wait(child: &mut Child) -> Result<(), String> {
    let begin = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(format!("ended with {status}")),
            Ok(None) if begin.elapsed() < TIMEOUT => thread::sleep(Duration::from_millis(20)),
            Ok(None) => return Err(format!("not finished after {} s", TIMEOUT.as_secs())),
            Err(why) => return Err(why.to_string()),
        }
    }
}

impl AlertChannel for Exec {
    fn name(&self) -> String {
        format!("exec {}", self.command.join(" "))
    }

    fn deliver(&self, notices: &[Notice], _now: UtcS) -> Results {
        one_by_one(notices, |notice| self.one(notice))
    }
}
