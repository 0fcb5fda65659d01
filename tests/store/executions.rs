//! Executions: steps in their order, one team, a bound for each.

use std::sync::Arc;

use stentor::message::execution::{Execution, Status};
use stentor::store::execution::{ExecutionRead, ExecutionWrite, ExecutionWritten, Update};
use stentor::store::publication::Keep;
use stentor::store::{Found, Read, Refusal, Write, Written};

use crate::backends::{Fixture, START_MS, contract, raw, user};

fn update(id: &str, status: Status, progress: Option<u8>) -> Update {
    Update {
        id: id.into(),
        team: "ops".into(),
        status,
        progress,
        current_step: None,
        result: None,
        error: None,
    }
}

fn write(update: Update) -> Write {
    Write::Execution(ExecutionWrite::Update {
        by: user("svc"),
        update,
        per_team: 2,
        log: Vec::new(),
    })
}

#[track_caller]
fn stored(f: &mut Fixture, update: Update) -> Execution {
    match f.ok(write(update)) {
        Written::Execution(written) => match *written {
            ExecutionWritten::Updated { execution, .. } => execution,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

fn listed(f: &mut Fixture, status: Option<Status>, limit: u32) -> (Vec<Arc<str>>, bool) {
    let read = Read::Execution(ExecutionRead::Of { team: "ops".into(), status, limit });
    match f.found(&read) {
        Found::Executions { executions, more } => {
            (executions.into_iter().map(|one| one.execution_id).collect(), more)
        }
        other => panic!("{other:?}"),
    }
}

contract! {
    fn what_is_absent_stays_and_what_is_finished_too(f) {
        f.user("svc");
        let first = stored(f, Update { current_step: Some("a".into()), ..update("x", Status::Queued, None) });
        assert_eq!((first.progress, first.updated_at.0), (0, START_MS));
        f.now_ms += 5;
        let second = stored(f, update("x", Status::Running, Some(30)));
        assert_eq!((second.current_step.as_deref(), second.updated_at.0), (Some("a"), START_MS + 5));
        for (status, progress) in [
            (Status::Queued, None),
            (Status::Running, Some(29)),
            (Status::Completed, Some(1)),
        ] {
            assert_eq!(f.refused(write(update("x", status, progress))), Refusal::Transition);
        }
        let other = Update { team: "dev".into(), ..update("x", Status::Running, None) };
        assert_eq!(f.refused(write(other)), Refusal::OtherTeam);
        let done = stored(f, Update { result: Some(raw("[1]")), ..update("x", Status::Completed, None) });
        assert_eq!((done.progress, done.result.clone()), (100, Some(raw("[1]"))));
        for status in Status::ALL {
            assert_eq!(f.refused(write(update("x", status, None))), Refusal::Transition);
        }
        let read = Read::Execution(ExecutionRead::One { id: "x".into() });
        assert_eq!(f.found(&read), Found::Executions { executions: vec![done.clone()], more: false });
        let look = Write::Execution(ExecutionWrite::Look { id: "x".into(), log: None });
        let looked = ExecutionWritten::Looked { id: "x".into(), execution: Some(done), top: None };
        assert_eq!(f.ok(look), Written::Execution(Box::new(looked)));
    }

    fn durable_channels_get_the_event_in_the_same_transaction(f) {
        f.user("svc");
        let keep = |messages| Keep { messages: Some(messages), seconds: None };
        let log: Vec<(Arc<str>, Keep)> =
            vec![("execution:x".into(), keep(9)), ("team:ops".into(), keep(1))];
        let update = |status| ExecutionWrite::Update {
            by: user("svc"),
            update: update("x", status, None),
            per_team: 2,
            log: log.clone(),
        };
        let look = |f: &mut Fixture| {
            let log = Some("execution:x".into());
            match f.ok(Write::Execution(ExecutionWrite::Look { id: "x".into(), log })) {
                Written::Execution(looked) => match *looked {
                    ExecutionWritten::Looked { top, .. } => top,
                    other => panic!("{other:?}"),
                },
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(look(f), Some(0));
        for (offset, status) in [(1, Status::Running), (2, Status::Completed)] {
            let Written::Execution(mut written) = f.ok(Write::Execution(update(status))) else {
                panic!("no execution");
            };
            let logged = written.take_logged();
            let told: Vec<_> = logged.iter().map(|(name, one)| (&**name, one.offset)).collect();
            assert_eq!(told, [("execution:x", offset), ("team:ops", offset)]);
            let ExecutionWritten::Updated { execution, .. } = *written else { panic!("looked at") };
            let text = serde_json::to_string(&execution).expect("an execution is JSON");
            assert!(logged.iter().all(|(_, one)| {
                (one.payload.as_str(), &*one.event) == (text.as_str(), "execution_update")
            }));
        }
        // What is refused is told nowhere.
        let refused = f.refused(Write::Execution(update(Status::Running)));
        assert_eq!((refused, look(f)), (Refusal::Transition, Some(2)));
        for (channel, keep, offsets) in [("execution:x", keep(9), vec![1, 2]), ("team:ops", keep(1), vec![2])] {
            let (channel, after, now_ms) = (channel.into(), Some(0), f.now_ms);
            let read = Read::Publications { channel, after, limit: 9, keep, now_ms };
            let Found::Publications(found) = f.found(&read) else { panic!("no publications") };
            let told: Vec<u64> = found.events.iter().map(|one| one.offset).collect();
            assert_eq!((told, found.top), (offsets, 2));
        }
    }

    fn a_team_keeps_so_many_and_loses_those_that_finished_first(f) {
        f.user("svc");
        for (id, status) in [("a", Status::Failed), ("b", Status::Running), ("c", Status::Queued)] {
            f.now_ms += 1;
            stored(f, update(id, status, None));
        }
        assert_eq!(listed(f, None, 9), (vec!["c".into(), "b".into()], false));
        assert_eq!(listed(f, Some(Status::Running), 9), (vec!["b".into()], false));
        // Who is at work is not forgotten.
        f.now_ms += 1;
        stored(f, update("d", Status::Running, None));
        assert_eq!(listed(f, None, 2), (vec!["d".into(), "c".into()], true));
    }
}
