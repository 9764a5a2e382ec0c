//! The pages of one service, relay, hostgroup, or provider.

use super::blocks::{BlockPage, PageBlock, RangeForm, TableBlock, TableCell, rows_of};
use super::frame::{PageFrame, clock, clock_near};
use super::marks::StateMark;
use super::now::{Overview, overview};
use super::range::PageRange;
use super::reply::{failure_page, rendered};
use crate::analysis::alarms::notice_id;
use crate::analysis::backlog::{BacklogQuestion, backlog};
use crate::analysis::blindness::shortest_outages;
use crate::analysis::board::BoardRow;
use crate::analysis::providers::providers;
use crate::analysis::routes::routes;
use crate::analysis::weeks::weeks;
use crate::detect::alarm::{Alarm, Scope};
use crate::graph::GraphKind;
use crate::model::direction::DirectionView;
use crate::model::human;
use crate::model::time::{DAY_MS, End, MINUTE_MS};
use crate::query::rates::By;
use crate::query::series::Fold;
use crate::query::{Window, named};
use crate::store::columnar::{Table, Values};
use crate::web::answers::{Asker, QuestionKey, Refusal, StoreAnswer, end_of_time};
use crate::web::app::App;
use crate::web::chosen::Chosen;
use crate::web::failure::Failure;
use crate::web::graphs::{DrawnRates, GraphChoice, block, drawn, pictures};
use crate::web::links::Links;
use anyhow::{Result, anyhow};
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use std::sync::Arc;

/// Mails that may wait for a page to say what waits.
const MAILS_MAX: usize = 200_000;
/// Points of the graph of weeks.
const WEEK_COLUMNS: usize = 60;
/// Days of alarms.
const ALARM_DAYS: i64 = 30;

/// What a reader chooses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default)]
pub(crate) struct SubjectChoice {
    name: String,
    from: String,
    to: String,
}

/// What kind of thing a page is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PageSubject {
    Service,
    Relay,
    Hostgroup,
    Provider,
}

impl PageSubject {
    fn word(self) -> &'static str {
        match self {
            PageSubject::Service => "service",
            PageSubject::Relay => "relay",
            PageSubject::Hostgroup => "hostgroup",
            PageSubject::Provider => "provider",
        }
    }

    /// The column of rates; a provider has none of its own.
    fn by(self) -> Option<By> {
        match self {
            PageSubject::Service => Some(By::Service),
            PageSubject::Relay => Some(By::Relay),
            PageSubject::Hostgroup => Some(By::Hostgroup),
            PageSubject::Provider => None,
        }
    }

    /// Whether an alarm is about it, or names it as affected.
    fn is_of(self, alarm: &Alarm, name: &str, overview: &Overview) -> bool {
        let names = &overview.judgement.names;
        let own = match (self, alarm.scope) {
            (PageSubject::Service, Scope::Service(id)) => names.service(id) == name,
            (PageSubject::Relay, Scope::Relay(id) | Scope::Host(id)) => names.host(id) == name,
            (PageSubject::Hostgroup, Scope::Hostgroup(id)) => names.hostgroup(id) == name,
            (PageSubject::Provider, Scope::Provider(id)) => names.provider(id) == name,
            _ => false,
        };
        let member = |alarm: &Alarm| alarm.members.iter().any(|member| names.service(member.service) == name);
        own || self == PageSubject::Service && member(alarm)
            || self == PageSubject::Relay
                && alarm
                    .cause
                    .as_ref()
                    .is_some_and(|cause| names.host(cause.relay) == name)
    }
}

/// What a page shows below its headline.
struct Details {
    window: Window,
    blocks: Vec<PageBlock>,
    lead: Vec<String>,
    /// There was mail in this time.
    is_any: bool,
}

pub(crate) async fn service(state: State<Arc<App>>, choice: Chosen<SubjectChoice>) -> Response {
    page(PageSubject::Service, state, choice).await
}

pub(crate) async fn relay(state: State<Arc<App>>, choice: Chosen<SubjectChoice>) -> Response {
    page(PageSubject::Relay, state, choice).await
}

pub(crate) async fn hostgroup(state: State<Arc<App>>, choice: Chosen<SubjectChoice>) -> Response {
    page(PageSubject::Hostgroup, state, choice).await
}

pub(crate) async fn provider(state: State<Arc<App>>, choice: Chosen<SubjectChoice>) -> Response {
    page(PageSubject::Provider, state, choice).await
}

async fn page(subject: PageSubject, State(app): State<Arc<App>>, Chosen(choice): Chosen<SubjectChoice>) -> Response {
    match view(subject, &app, choice).await {
        Ok(page) => rendered(&page),
        Err(failure) => failure_page(&app, failure.status(), &failure),
    }
}

async fn view(subject: PageSubject, app: &App, choice: SubjectChoice) -> Result<BlockPage, Failure> {
    if choice.name.is_empty() {
        return Err(Failure::Parameter(format!("name: which {}?", subject.word())));
    }
    let range = PageRange::of(&choice.from, &choice.to, "-24h");
    // What is wrong whatever the store says is told at once.
    range.window(End::clock(app.answers.now_ms()))?;
    let known = overview(app).await?;
    let details = details(subject, app, &choice).await?;
    let overview = &known.value;
    let name = &choice.name;
    let row = row_of(subject, overview, name);
    let provider = (subject == PageSubject::Provider).then(|| overview.providers.contains_key(name));
    let alarms: Vec<&Alarm> = alarms(subject, overview, name);
    if row.is_none() && provider != Some(true) && alarms.is_empty() && !details.value.is_any {
        return Err(Failure::Unknown(format!(
            "No {} of this name has sent or taken mail of late.",
            subject.word()
        )));
    }
    let mut frame = PageFrame::new(
        app,
        &format!("{} {}", subject.word(), crate::web::html::short(name)),
        "",
    )
    .live();
    frame.notes.extend(details.lacks.iter().cloned());
    frame.is_ended(overview.end_ms, app.answers.now_ms());
    let mut page = BlockPage::new(frame, subject.word(), name);
    let firing = alarms.iter().find(|alarm| alarm.ended.is_none());
    page.mark = match (firing, row) {
        (Some(alarm), _) => Some(StateMark::of_alarm(alarm.state, alarm.provisional)),
        (None, Some(row)) => Some(StateMark::of_row(&row.state)),
        (None, None) => None,
    };
    page.lead.extend(firing.map(|alarm| now_words(alarm, overview)));
    page.lead.extend(row.map(|row| row_words(row, overview.end_ms)));
    page.lead.extend(details.value.lead.iter().cloned());
    page.links.extend(firing.map(|alarm| {
        let id = notice_id(alarm, &overview.judgement.names);
        (
            app.links.to("incident", &[("alarm", &id)]),
            "Open the incident".to_owned(),
        )
    }));
    page.range = Some(RangeForm::of(
        &range,
        (subject.word(), name),
        details.value.window,
        &app.links,
    ));
    page.blocks.clone_from(&details.value.blocks);
    page.blocks
        .push(PageBlock::Table(alarm_table(&alarms, overview, &app.links)));
    Ok(page)
}

fn row_of<'o>(subject: PageSubject, overview: &'o Overview, name: &str) -> Option<&'o BoardRow> {
    let rows = match subject {
        PageSubject::Service => &overview.boards.services,
        PageSubject::Relay => &overview.boards.relays,
        PageSubject::Hostgroup => &overview.boards.hostgroups,
        PageSubject::Provider => return None,
    };
    rows.iter().find(|row| row.name == name)
}

/// Alarms of the last weeks, the newest first.
fn alarms<'o>(subject: PageSubject, overview: &'o Overview, name: &str) -> Vec<&'o Alarm> {
    let from = (overview.end_ms - ALARM_DAYS * DAY_MS).div_euclid(MINUTE_MS);
    let shown = overview
        .judgement
        .groups
        .shown()
        .filter(|alarm| alarm.ended.is_none_or(|ended| ended > from));
    let mut alarms: Vec<&Alarm> = shown.filter(|alarm| subject.is_of(alarm, name, overview)).collect();
    alarms.sort_by_key(|alarm| std::cmp::Reverse((alarm.ended.is_none(), alarm.onset)));
    alarms
}

fn now_words(alarm: &Alarm, overview: &Overview) -> String {
    let since = clock_near(alarm.onset * MINUTE_MS, overview.end_ms);
    let (kind, name) = alarm.scope.named(&overview.judgement.names);
    format!(
        "{kind} {name} {} since {since}: {}.",
        alarm.state.as_str(),
        alarm.state.meaning()
    )
}

fn row_words(row: &BoardRow, end_ms: i64) -> String {
    let last = match row.last_ms {
        Some(ms) => format!("Last mail {}", human::ago((end_ms - ms).max(0))),
        None => "No mail in 30 days".to_owned(),
    };
    let usual = row
        .usual
        .map(|(low, high)| format!(", where {:.0} to {:.0} are expected", low.floor(), high.ceil()));
    format!("{last}; {:.0} in the last hour{}.", row.hour, usual.unwrap_or_default())
}

/// Alarms as a table.
pub(crate) fn alarm_table(alarms: &[&Alarm], overview: &Overview, links: &Links) -> TableBlock {
    let names = &overview.judgement.names;
    let row = |alarm: &&Alarm| {
        let (kind, name) = alarm.scope.named(names);
        let id = notice_id(alarm, names);
        let members: Vec<&str> = alarm
            .members
            .iter()
            .map(|member| names.service(member.service))
            .collect();
        let at = |minute: i64| clock(minute * MINUTE_MS);
        let state = match alarm.ended {
            None => StateMark::of_alarm(alarm.state, alarm.provisional),
            Some(_) => StateMark::over(alarm.state.as_str()),
        };
        vec![
            TableCell::mark(state),
            TableCell::link(&format!("{kind} {name}"), links.to("incident", &[("alarm", &id)])),
            TableCell::text(at(alarm.onset)),
            TableCell::text(at(alarm.detected)),
            TableCell::text(alarm.ended.map_or_else(|| "fires".to_owned(), at)),
            TableCell::number(human::decimal(alarm.expected)),
            TableCell::number(human::decimal(alarm.observed)),
            TableCell::text(members.join(", ")),
        ]
    };
    TableBlock {
        title: format!("Alarms of the last {ALARM_DAYS} days"),
        lead: String::new(),
        head: vec![
            ("state", false),
            ("about", false),
            ("onset", false),
            ("detected", false),
            ("ended", false),
            ("expected", true),
            ("came", true),
            ("affected", false),
        ],
        rows: alarms.iter().map(row).collect(),
        empty: "None.",
    }
}

async fn details(
    subject: PageSubject,
    app: &App,
    choice: &SubjectChoice,
) -> Result<Arc<StoreAnswer<Details>>, Failure> {
    let key = QuestionKey::until(&format!("{subject:?} {choice:?}"), app.answers.now_ms());
    let (choice, links) = (choice.clone(), app.links.clone());
    app.answers
        .ask(key, move |asker| Details::ask(subject, asker, &choice, &links))
        .await
}

impl Details {
    fn ask(subject: PageSubject, asker: &Asker<'_>, choice: &SubjectChoice, links: &Links) -> Result<Details> {
        let refused = |failure| anyhow::Error::new(Refusal(failure));
        let end = end_of_time(asker)?;
        let window = PageRange::of(&choice.from, &choice.to, "-24h")
            .window(end)
            .map_err(refused)?;
        let mut details = Details {
            window,
            blocks: Vec::new(),
            lead: Vec::new(),
            is_any: false,
        };
        let name = &choice.name;
        if subject.by().is_some() {
            details.graphs(subject, asker, choice, links)?;
        }
        match subject {
            PageSubject::Service => {
                details.outcomes(asker, name, end)?;
                details.routes(asker, &|route| route == name.as_str(), links)?;
                details.reasons(asker, name, end)?;
                details.backlog(asker, &|service, _| service == name.as_str(), links)?;
                details.blindness(asker, name)?;
            }
            PageSubject::Relay => {
                details.dependents(asker, name, links)?;
                details.backlog(asker, &|_, relay| relay == name.as_str(), links)?;
                details.providers(asker, &|_, relay| relay == name.as_str(), links)?;
            }
            PageSubject::Hostgroup => {}
            PageSubject::Provider => details.providers(asker, &|provider, _| provider == name.as_str(), links)?,
        }
        Ok(details)
    }

    /// Rates with what was expected, and the weeks before beside them.
    fn graphs(&mut self, subject: PageSubject, asker: &Asker<'_>, choice: &SubjectChoice, links: &Links) -> Result<()> {
        let graph = GraphChoice {
            by: subject.word().to_owned(),
            name: choice.name.clone(),
            from: choice.from.clone(),
            to: choice.to.clone(),
            ..GraphChoice::default()
        };
        let question = graph
            .question(self.window)
            .map_err(|failure| anyhow::Error::new(Refusal(failure)))?;
        let rates = drawn(asker, &question)?;
        let is_any = rates.set.series.iter().any(|series| series.volume() > 0.0);
        self.blocks
            .push(PageBlock::Graph(block("Mail accepted", &rates, (&graph, links), 1)));
        let past = weeks(asker.store(), &question)?;
        if let Some(sentence) = past.sentence {
            // Four weeks of fine buckets beside each other are a tangle.
            let step_ms = past.set.step_for_columns(WEEK_COLUMNS);
            let drawn = DrawnRates {
                set: past.set.rebucketed(step_ms, Fold::Mean),
                ..DrawnRates::default()
            };
            let mut pictures = pictures(&drawn, GraphKind::Lines, 2);
            pictures.title = "The same hours of the weeks before".to_owned();
            pictures.lead = sentence;
            self.blocks.push(PageBlock::Graph(pictures));
        }
        self.is_any = is_any;
        if !is_any {
            self.lead.push("No mail in this time.".to_owned());
        }
        Ok(())
    }

    /// Rows of a named query that are about a service.
    fn named(&self, asker: &Asker<'_>, query: &str, more: &[(&str, &str)], end: End) -> Result<Table> {
        let query = named::find(query).map_err(|why| anyhow!(why))?;
        let given: Vec<(String, String)> = [
            ("since", crate::model::time::rfc3339(self.window.since_ms)),
            ("until", crate::model::time::rfc3339(self.window.until_ms)),
        ]
        .into_iter()
        .map(|(name, text)| (name.to_owned(), text))
        .chain(more.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())))
        .collect();
        let values = query.values(&given, end).map_err(|why| anyhow!(why))?;
        Ok(asker.store().named(&query, &values, self.window)?)
    }

    /// What became of its mail, how long it took, and what its application says.
    fn outcomes(&mut self, asker: &Asker<'_>, name: &str, end: End) -> Result<()> {
        let outcomes = self.named(asker, "outcome_per_service", &[], end)?;
        let mut table = rows_of(
            &outcomes,
            &is_named(&outcomes, name),
            &[
                ("accepted", "accepted"),
                ("delivered", "delivered"),
                ("deferred", "deferred"),
                ("bounced", "bounced"),
                ("expired", "expired"),
                ("rejected", "rejected"),
                ("frozen", "frozen"),
            ],
        );
        table.title = "What became of it".to_owned();
        table.lead = "Recipients by outcome; accepted are messages.".to_owned();
        table.empty = "No mail in this time.";
        self.blocks.push(PageBlock::Table(table));
        let bucket = format!("{}m", crate::query::rates::bucket_ms(self.window) / MINUTE_MS);
        let sides = self.named(asker, "tried_accepted_delivered", &[("bucket", &bucket)], end)?;
        let sum = |column: &str| summed(&sides, column, &is_named(&sides, name));
        if sum("submitted") + sum("submit_failed") > 0 {
            let facts = [
                ("its application tried", sum("tried")),
                ("could not hand in", sum("submit_failed")),
                ("relays accepted", sum("accepted")),
                ("recipients outside got it", sum("delivered")),
            ];
            self.blocks.push(PageBlock::Facts(
                facts.map(|(word, count)| (word, human::count(count))).into(),
            ));
        }
        let latency = self.named(asker, "latency", &[], end)?;
        let mut table = rows_of(
            &latency,
            &is_named(&latency, name),
            &[
                ("delivered", "delivered"),
                ("queue_p50_ms", "in the queue: half within"),
                ("queue_p95_ms", "95 % within"),
                ("queue_p99_ms", "99 % within"),
                ("delivery_p95_ms", "delivery: 95 % within"),
            ],
        );
        table.title = "How long it took".to_owned();
        table.empty = "Nothing was delivered in this time.";
        self.blocks.push(PageBlock::Table(table));
        Ok(())
    }

    /// Why it was put off or refused.
    fn reasons(&mut self, asker: &Asker<'_>, name: &str, end: End) -> Result<()> {
        for (query, title, empty) in [
            ("deferral_reasons", "Why it was deferred", "Nothing was deferred."),
            ("bounce_reasons", "Why it bounced", "Nothing bounced."),
        ] {
            let found = self.named(asker, query, &[("limit", "5000")], end)?;
            let columns = [
                ("reason", "reason"),
                ("smtp_code", "code"),
                ("remote_host", "next hop"),
                ("attempts", "attempts"),
                ("recipients", "recipients"),
            ];
            let mut table = rows_of(&found, &is_named(&found, name), &columns);
            table.rows.truncate(20);
            table.title = title.to_owned();
            table.empty = empty;
            self.blocks.push(PageBlock::Table(table));
        }
        Ok(())
    }

    fn routes(&mut self, asker: &Asker<'_>, wants: &dyn Fn(&str) -> bool, links: &Links) -> Result<()> {
        let all = routes(asker.store(), self.window, DirectionView::default())?;
        for route in all.iter().filter(|route| wants(&route.service)) {
            if let [(only, _)] = route.last_hops.as_slice() {
                self.lead.push(format!(
                    "All of its mail leaves through {only}: a single point of failure."
                ));
            }
        }
        let found: Vec<_> = all.into_iter().filter(|route| wants(&route.service)).collect();
        self.blocks
            .push(PageBlock::Table(super::routes::table("Routes", &found, links)));
        Ok(())
    }

    /// Who depends on a relay, and how much of their mail takes no other way.
    fn dependents(&mut self, asker: &Asker<'_>, name: &str, links: &Links) -> Result<()> {
        let week = Window {
            since_ms: self.window.since_ms.min(self.window.until_ms - 7 * DAY_MS),
            ..self.window
        };
        let all = routes(asker.store(), week, DirectionView::default())?;
        let mut rows = Vec::new();
        let mut alone = 0;
        for route in &all {
            let Some((_, messages)) = route.last_hops.iter().find(|(hop, _)| hop == name) else {
                continue;
            };
            alone += usize::from(route.is_single());
            let per_hour = *messages as f64 / ((week.until_ms - week.since_ms) as f64 / 3_600_000.0);
            rows.push(vec![
                TableCell::link(&route.service, links.to("service", &[("name", &route.service)])),
                TableCell::count(i64::try_from(*messages).unwrap_or(i64::MAX)),
                TableCell::number(format!(
                    "{:.1} %",
                    100.0 * *messages as f64 / route.messages.max(1) as f64
                )),
                TableCell::text(if route.is_single() {
                    "no other way"
                } else {
                    "other relays too"
                }),
                TableCell::number(human::rate(per_hour / 60.0)),
            ]);
        }
        if alone > 0 {
            let them = human::counted(alone as u64, "service");
            self.lead
                .push(format!("{them} would lose or delay all mail without this relay."));
        }
        self.blocks.push(PageBlock::Table(TableBlock {
            title: "Services that depend on it".to_owned(),
            lead: "By what left through it in the last seven days or in this time.".to_owned(),
            head: vec![
                ("service", false),
                ("messages", true),
                ("share", true),
                ("otherwise", false),
                ("would miss", true),
            ],
            rows,
            empty: "No mail left through it.",
        }));
        Ok(())
    }

    fn backlog(&mut self, asker: &Asker<'_>, wants: &dyn Fn(&str, &str) -> bool, links: &Links) -> Result<()> {
        let at_ms = self.window.until_ms.min(end_of_time(asker)?.at_ms);
        let Ok(found) = backlog(asker.store(), BacklogQuestion::at(at_ms, MAILS_MAX)) else {
            self.lead
                .push("More mails wait than this page counts: see `mailpulse queue`.".to_owned());
            return Ok(());
        };
        let rows = found
            .groups
            .iter()
            .filter(|(group, _)| wants(&group.service, &group.relay));
        let row = |(group, waiting): (&crate::analysis::backlog::Group, &crate::analysis::backlog::Waiting)| {
            let gone = waiting
                .drain
                .map(|drain| format!("in {}", human::duration(drain.gone_ms - at_ms)));
            vec![
                TableCell::link(&group.service, links.to("service", &[("name", &group.service)])),
                TableCell::link(&group.relay, links.to("relay", &[("name", &group.relay)])),
                TableCell::count(i64::try_from(waiting.messages).unwrap_or(i64::MAX)),
                TableCell::text(
                    waiting
                        .oldest_ms
                        .map(|oldest| human::duration(at_ms - oldest))
                        .unwrap_or_default(),
                ),
                TableCell::count(i64::try_from(waiting.frozen).unwrap_or(i64::MAX)),
                TableCell::text(gone.unwrap_or_else(|| "does not drain".to_owned())),
            ]
        };
        self.blocks.push(PageBlock::Table(TableBlock {
            title: "What waits in the queues".to_owned(),
            lead: format!("At {}, as far as the logs tell.", clock(at_ms)),
            head: vec![
                ("service", false),
                ("relay", false),
                ("messages", true),
                ("oldest", false),
                ("frozen", true),
                ("gone", false),
            ],
            rows: rows.map(row).collect(),
            empty: "Nothing waits.",
        }));
        Ok(())
    }

    fn providers(&mut self, asker: &Asker<'_>, wants: &dyn Fn(&str, &str) -> bool, links: &Links) -> Result<()> {
        let all = providers(asker.store(), self.window, DirectionView::default())?;
        let percent = |both: Option<(f64, f64)>, pick: fn((f64, f64)) -> f64| {
            TableCell::number(both.map(|both| format!("{:.1} %", pick(both))).unwrap_or_default())
        };
        let ms = |ms: Option<i64>| TableCell::number(ms.map(human::duration).unwrap_or_default());
        let mut found: Vec<_> = all
            .iter()
            .filter(|((provider, relay), _)| wants(provider, relay))
            .collect();
        found.sort_by_key(|(at, one)| (-one.attempts.all, *at));
        let rows = found.into_iter().take(100).map(|((provider, relay), one)| {
            vec![
                TableCell::link(provider, links.to("provider", &[("name", provider)])),
                TableCell::link(relay, links.to("relay", &[("name", relay)])),
                TableCell::count(one.attempts.all),
                percent(one.attempts.percents(), |both| both.0),
                percent(one.usual.percents(), |both| both.0),
                percent(one.attempts.percents(), |both| both.1),
                percent(one.usual.percents(), |both| both.1),
                ms(one.quantile(0.5)),
                ms(one.quantile(0.95)),
                TableCell::text(
                    one.reason
                        .as_ref()
                        .map(|(reason, _)| reason.as_str())
                        .unwrap_or_default(),
                ),
            ]
        });
        self.blocks.push(PageBlock::Table(TableBlock {
            title: "Providers".to_owned(),
            lead: "Usual is what the 28 days before brought.".to_owned(),
            head: vec![
                ("provider", false),
                ("relay", false),
                ("attempts", true),
                ("deferred", true),
                ("usually", true),
                ("bounced", true),
                ("usually", true),
                ("half within", true),
                ("95 % within", true),
                ("most frequent reason", false),
            ],
            rows: rows.collect(),
            empty: "No attempts in this time.",
        }));
        Ok(())
    }

    /// How blind the volume is.
    fn blindness(&mut self, asker: &Asker<'_>, name: &str) -> Result<()> {
        let weeks = Window {
            since_ms: self.window.until_ms - 28 * DAY_MS,
            ..self.window
        };
        let budget = asker.config.detect.false_alarms_per_service_per_90_days;
        let all = shortest_outages(asker.store(), weeks, ("service", DirectionView::default()), budget)?;
        let said = match all.get(name) {
            Some(minutes) => format!(
                "The shortest full outage that its volume can show lasts {}. Its own log (submit_failed) and the relay's \
                 silence show shorter ones; a schedule of its mails would, too.",
                human::duration(minutes * MINUTE_MS)
            ),
            None => {
                "Its volume is too small or too young to show an outage: the log of its application would.".to_owned()
            }
        };
        self.blocks.push(PageBlock::List("How blind we are", vec![said]));
        Ok(())
    }
}

/// Rows of a table that are about a service.
fn is_named<'t>(table: &'t Table, name: &'t str) -> impl Fn(usize) -> bool + use<'t> {
    let column = table
        .columns
        .iter()
        .position(|column| column.name == "service")
        .unwrap_or(0);
    move |row| table.text(column, row) == name
}

fn summed(table: &Table, column: &str, wants: &dyn Fn(usize) -> bool) -> i64 {
    let values = table
        .columns
        .iter()
        .find(|own| own.name == column)
        .map(|own| &own.values);
    match values {
        Some(Values::Int(all)) => (0..all.len())
            .filter(|row| wants(*row))
            .filter_map(|row| all[row])
            .sum(),
        _ => 0,
    }
}
