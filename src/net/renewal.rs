//! Certificate and key read again while the server runs, on a thread of their own, because a disk
//! may be slow and a loop must not be.
//!
//! Law: whatever is wrong with the new files, the old certificate stays in use; it is told in the
//! log and counted. One reading at a time: who asks during one gets another after it.

use std::sync::Arc;

use crossbeam_channel::Sender;

use super::front::Control;
use super::secure::{Issuer, Metrics, Renewal};
use super::waker::LoopWaker;

/// What came of a reading.
#[derive(Debug)]
pub(crate) struct Renewed(Result<Arc<dyn Issuer>, String>);

/// Reads certificates again.
#[derive(Debug)]
pub(crate) struct Renewer {
    issuer: Arc<dyn Issuer>,
    control: Sender<Control>,
    waker: Arc<LoopWaker>,
    metrics: Arc<Metrics>,
    reading: bool,
    again: bool,
}

impl Renewer {
    pub(crate) fn new(
        issuer: Arc<dyn Issuer>,
        control: Sender<Control>,
        waker: Arc<LoopWaker>,
        metrics: Arc<Metrics>,
    ) -> Self {
        metrics.not_after.set(issuer.not_after().unwrap_or_default());
        Self { issuer, control, waker, metrics, reading: false, again: false }
    }

    /// Begins to read.
    #[expect(clippy::disallowed_methods, reason = "a thread that lives as long as a reading")]
    pub(super) fn begin(&mut self) {
        if self.reading {
            self.again = true;
            return;
        }
        let (issuer, control, waker) =
            (self.issuer.clone(), self.control.clone(), self.waker.clone());
        let read = move || {
            // Whoever does not listen any more has no use for a certificate.
            if control.send(Control::Renewed(Renewed(issuer.renew()))).is_ok() {
                waker.wake();
            }
        };
        match std::thread::Builder::new().name("tls-renewal".to_owned()).spawn(read) {
            Ok(_) => self.reading = true,
            Err(error) => self.failed(&format!("no thread to read it: {error}")),
        }
    }

    /// Takes what was read; returns what new connections are to be encrypted with.
    pub(super) fn take(&mut self, renewed: Renewed) -> Option<Arc<dyn Issuer>> {
        self.reading = false;
        let issuer = match renewed.0 {
            Ok(issuer) => {
                self.metrics.reloads.add_at(Renewal::Ok, 1);
                self.metrics.not_after.set(issuer.not_after().unwrap_or_default());
                log::info!("TLS: certificate and key were read again; new connections get them");
                self.issuer = issuer.clone();
                Some(issuer)
            }
            Err(why) => {
                self.failed(&why);
                None
            }
        };
        if std::mem::take(&mut self.again) {
            self.begin();
        }
        issuer
    }

    fn failed(&self, why: &str) {
        self.metrics.reloads.add_at(Renewal::Failed, 1);
        let why = why.replace("\n  ", "; ");
        log::error!("TLS: the certificate in use stays, the new one is no good: {why}");
    }
}
