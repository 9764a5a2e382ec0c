//! Forms of line in a relay's log.

/// The forms of line that the simulator writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LineForm {
    /// `<= sender H=…`
    Arrival,
    /// `<= <> R=msgid U=Debian-exim P=local`
    ArrivalBounce,
    /// `=> address … H=…`
    Delivery,
    /// `=> address … H=host [ip]*`
    DeliveryContinued,
    /// `-> address`
    DeliveryFurther,
    /// `=> address` by a local transport (no `H=`)
    DeliveryPipe,
    /// `=> :blackhole: <address>`
    Blackhole,
    /// `== … defer (-44|-45|-46) H=…: SMTP error …: 4xx …`
    DeferSmtp,
    /// `== … defer (110|111): Connection …`
    DeferConnect,
    /// `== … R=dnslookup defer (-1): host lookup did not complete`
    DeferDns,
    /// `== … defer (-53): retry time not reached for any host`
    DeferRetryHost,
    /// `== … routing defer (-51): retry time not reached`
    DeferRetryRouting,
    /// `msgid H=host [ip] Connection timed out`
    HostError,
    /// `** … SMTP error …: 550 …` or `** …: Unrouteable address`
    Failure,
    /// `** …: retry timeout exceeded`
    FailureExpired,
    /// `Frozen (delivery error message)`
    Frozen,
    /// `Message is frozen`, once a queue run
    StillFrozen,
    /// `Unfrozen by errmsg timer`
    Unfrozen,
    /// `address: error ignored`
    ErrorIgnored,
    /// `Completed`
    Completed,
    /// `rejected RCPT <…>: …`
    RejectRcpt,
    /// `temporarily rejected RCPT <…>: …`
    RejectRcptTemporary,
    /// `msgid H=… rejected after DATA: …`
    RejectData,
    /// `rejected EHLO from …: syntactically invalid argument(s): …`
    RejectHelo,
    /// `SMTP protocol synchronization error (…): rejected connection from …`
    RejectSync,
    /// `SMTP connection from [ip]:port I=… (TCP/IP connection count = n)`
    Connect,
    /// `SMTP connection from … closed by QUIT`
    Quit,
    /// `SMTP connection from … lost`, `unexpected disconnection while reading SMTP command from …`
    Lost,
    /// `no host name found for IP address …`
    NoHostName,
    /// `TLS error on connection from …`
    TlsError,
    /// `SMTP syntax error in "…" …`
    SyntaxError,
    /// `Start queue run: pid=…`
    QueueStart,
    /// `End queue run: pid=…`
    QueueEnd,
    /// `exim 4.89 daemon started: pid=…`
    DaemonStart,
}

impl LineForm {
    /// Number of forms.
    pub(super) const COUNT: usize = LineForm::DaemonStart as usize + 1;

    /// The kind of event that such a line is; `None` for a line that is no event.
    pub fn kind(self) -> Option<&'static str> {
        use LineForm::*;
        Some(match self {
            Arrival | ArrivalBounce => "accepted",
            Delivery | DeliveryContinued | DeliveryFurther | DeliveryPipe => "delivered",
            Blackhole => "discarded",
            DeferSmtp | DeferConnect | DeferDns | DeferRetryHost | DeferRetryRouting => "deferred",
            Failure => "bounced",
            FailureExpired => "expired",
            Frozen | StillFrozen => "frozen",
            Completed => "completed",
            RejectRcpt | RejectRcptTemporary | RejectData | RejectHelo | RejectSync => "rejected",
            _ => return None,
        })
    }
}

/// All forms in the order of their numbers.
#[rustfmt::skip]
pub(super) const FORMS: [LineForm; LineForm::COUNT] = {
    use LineForm::*;
    [Arrival, ArrivalBounce, Delivery, DeliveryContinued, DeliveryFurther, DeliveryPipe, Blackhole, DeferSmtp,
     DeferConnect, DeferDns, DeferRetryHost, DeferRetryRouting, HostError, Failure, FailureExpired, Frozen,
     StillFrozen, Unfrozen, ErrorIgnored, Completed, RejectRcpt, RejectRcptTemporary, RejectData, RejectHelo,
     RejectSync, Connect, Quit, Lost, NoHostName, TlsError, SyntaxError, QueueStart, QueueEnd, DaemonStart]
};
