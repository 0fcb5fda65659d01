//! The life of a data directory: set up once, then struck, and looked at after each strike.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use stentor::base::rng::Rng;

use crate::calls::{Caller, Worker};
use crate::cut::{self, Loss};
use crate::device::Device;
use crate::ledger::{
    CHANNELS, CHATS, INBOXES, Line, PUBLISHERS, RUNNERS, SHARED, SUBSCRIBERS, Tally, chats_of,
    listener, user,
};
use crate::process::{self, Place, Server, Starting};
use crate::publisher::{Manner, Publisher, Pulse};
use crate::referee::Referee;
use crate::room::Disk;
use crate::runner::{Runner, TEAM, Watcher};
use crate::subscriber::Subscriber;
use crate::wire::{Client, Door};

/// What a life is to have besides a directory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rig {
    /// The shim, when the disk is to be one that remembers.
    pub(crate) shim: Option<PathBuf>,
    /// For the server, in every cycle.
    pub(crate) environment: Vec<(String, String)>,
}

/// A data directory and everybody who has to do with it.
pub(crate) struct Life {
    folder: PathBuf,
    pub(crate) place: Place,
    rig: Rig,
    pub(crate) disk: Option<Disk>,
    pub(crate) rng: Rng,
    lines: Vec<Line>,
    pub(crate) publishers: Vec<Publisher>,
    pub(crate) subscribers: Vec<Subscriber>,
    /// Two for each inbox.
    pub(crate) devices: Vec<Device>,
    runners: Vec<Runner>,
    watcher: Watcher,
    worker: Worker,
    caller: Caller,
    referee: Referee,
    pub(crate) tally: Tally,
}

impl Life {
    /// A new directory; with `small`, on a disk of its own if that can be had.
    pub(crate) fn new(name: &str, seed: u64, rig: &Rig, small: bool) -> Result<Self, String> {
        let told = |error: std::io::Error| format!("a new directory: {error}");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let folder = folder.join(format!("ledger-{name}-{}-{seed}", std::process::id()));
        fs::create_dir_all(folder.join("data")).map_err(told)?;
        let data = folder.join("data").canonicalize().map_err(told)?;
        let disk = small.then(|| Disk::mount(&data)).flatten();
        if small && disk.is_none() {
            eprintln!("ledger {name}: nothing can be mounted here; RLIMIT_FSIZE stands in");
        }
        let mut rng = Rng::new(seed);
        let caller = Caller::new(rng.fork());
        let before = disk.as_ref().map(Disk::enter).unwrap_or_default();
        Ok(Self {
            place: Place { data, log: folder.join("server.log"), before },
            folder,
            rig: rig.clone(),
            disk,
            rng,
            lines: Vec::new(),
            publishers: Vec::new(),
            subscribers: Vec::new(),
            devices: Vec::new(),
            runners: Vec::new(),
            watcher: Watcher::default(),
            worker: Worker::default(),
            caller,
            referee: Referee::default(),
            tally: Tally::default(),
        })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    fn journal(&self) -> PathBuf {
        self.folder.join("journal")
    }

    /// Starts the server.
    pub(crate) fn starting(&self, more: &[(String, String)]) -> Result<Starting, String> {
        let mut environment = self.rig.environment.clone();
        if let Some(shim) = &self.rig.shim {
            let records = cut::go_on(&self.journal())?;
            let text = |path: &Path| path.display().to_string();
            environment.extend([
                ("LD_PRELOAD".to_owned(), text(shim)),
                ("LEDGER_DISK_DIR".to_owned(), text(&self.place.data)),
                ("LEDGER_DISK_JOURNAL".to_owned(), text(&self.journal())),
                ("LEDGER_DISK_RECORDS".to_owned(), records.to_string()),
            ]);
        }
        environment.extend_from_slice(more);
        Starting::new(&self.place, &environment)
    }

    /// Starts the server, which has no reason not to be ready.
    pub(crate) fn start(&self, more: &[(String, String)]) -> Result<Server, String> {
        self.starting(more)?.ready()?.map_err(|status| self.refused(status))
    }

    /// What a server says that does not start.
    pub(crate) fn refused(&self, status: std::process::ExitStatus) -> String {
        let log = fs::read_to_string(&self.place.log).unwrap_or_default();
        let last = log.lines().last().unwrap_or_default();
        format!("it does not start, {status}: {last}")
    }

    /// Undoes what was not durable; without the shim, or when the power stays, nothing.
    pub(crate) fn cut(&mut self, loss: Option<Loss>) -> Result<(), String> {
        if let (Some(loss), Some(_)) = (loss, &self.rig.shim) {
            let lost = cut::cut(&self.place.data, &self.journal(), loss, &mut self.rng)?;
            self.tally.add("power cuts", 1);
            self.tally.add("writes undone", lost);
        }
        Ok(())
    }

    /// Tokens for `{sub}-1`, `{sub}-2`…
    fn tokens(&self, sub: &str, role: &str, count: usize) -> Result<Vec<String>, String> {
        let mut command = self.place.command();
        command.args(["token", "--sub", sub, "--role", role, "--data"]).arg(&self.place.data);
        command.args(["--count", &count.to_string(), "--team", TEAM]);
        let output = command.output().map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&output.stdout);
        let tokens = text.lines().filter_map(|line| line.split_whitespace().last());
        let tokens: Vec<String> = tokens.map(str::to_owned).collect();
        if tokens.len() == count {
            return Ok(tokens);
        }
        Err(format!("no tokens: {}", String::from_utf8_lossy(&output.stderr)))
    }

    /// Tokens, users and lines; all of it acknowledged, so none of it is made twice.
    pub(crate) fn set_up(&mut self, server: &Server) -> Result<(), String> {
        let services = self.tokens("u", "service", PUBLISHERS + RUNNERS)?;
        let listeners = self.tokens("l", "user", SUBSCRIBERS + INBOXES)?;
        let mut here = Vec::new();
        for token in services.iter().chain(&listeners) {
            let client = Client::arrive(&server.address, Door::Lines, token)?;
            here.push(client.ok_or("nobody there")?);
        }
        let [owner, ..] = here.as_mut_slice() else { return Err("nobody".to_owned()) };
        for chat in 0..CHATS {
            let writers = (0..PUBLISHERS).filter(|number| chats_of(*number).contains(&chat));
            let readers = (0..SUBSCRIBERS).map(listener);
            let members: Vec<String> = writers.map(user).chain(readers).collect();
            let request = json!({"type": "create_group", "group_name": format!("chat {chat}"),
                "member_ids": members});
            let data = owner.ok(&request)?;
            let id = data["chat"]["id"].as_str().ok_or("no id")?.to_owned();
            self.lines.push(line(owner, format!("room:{id}"), id)?);
        }
        for channel in 0..CHANNELS {
            self.lines.push(line(owner, format!("ledger:{channel}"), String::new())?);
        }
        for (number, token) in services.into_iter().enumerate() {
            let rng = self.rng.fork();
            self.worker.token.clone_from(&token);
            match number.checked_sub(PUBLISHERS) {
                None => self.publishers.push(Publisher::new(number, token, rng)),
                Some(number) => self.runners.push(Runner::new(number, token, rng)),
            }
        }
        let mut listeners = listeners.into_iter().zip(here.drain(PUBLISHERS + RUNNERS..));
        for (number, (token, _)) in listeners.by_ref().take(SUBSCRIBERS).enumerate() {
            self.watcher.token.clone_from(&token);
            self.caller.token.clone_from(&token);
            self.subscribers.push(Subscriber::new(number, token));
        }
        for (number, (token, mut client)) in listeners.enumerate() {
            let (at, id) = (SHARED + number, listener(SUBSCRIBERS + number));
            self.lines.push(line(&mut client, format!("user:{id}"), id)?);
            for acks in [true, false] {
                let device = Device::new(at, token.clone(), acks, self.rng.fork());
                // The cursor of a new one begins at the furthest of its user.
                device.arrive(&server.address)?.ok_or("nobody there")?;
                self.devices.push(device);
            }
        }
        Ok(())
    }

    /// Everybody comes and goes on where they were, until the server is dead; `strike` sees to that.
    pub(crate) fn traffic(
        &mut self,
        server: &mut Server,
        manner: Manner,
        strike: impl FnOnce(&mut Server, &Pulse, &mut Rng, Option<&Disk>) -> Result<(), String>,
    ) -> Result<(), String> {
        let (pulse, address) = (Pulse::default(), server.address.clone());
        let (address, lines, pulse) = (address.as_str(), self.lines.as_slice(), &pulse);
        let (publishers, subscribers) = (&mut self.publishers, &mut self.subscribers);
        let (devices, runners, watcher) = (&mut self.devices, &mut self.runners, &mut self.watcher);
        let (caller, worker) = (&mut self.caller, &mut self.worker);
        let (rng, disk) = (&mut self.rng, self.disk.as_ref());
        std::thread::scope(|scope| {
            let mut threads = Vec::new();
            for one in subscribers {
                threads.push(scope.spawn(move || one.run(address, lines)));
            }
            for one in devices {
                threads.push(scope.spawn(move || one.run(address, lines, manner, None)));
            }
            threads.push(scope.spawn(move || watcher.run(address, manner)));
            threads.push(scope.spawn(move || worker.run(address)));
            threads.push(scope.spawn(move || caller.run(address)));
            for one in runners {
                threads.push(scope.spawn(move || one.run(address, manner)));
            }
            for one in publishers {
                threads.push(scope.spawn(move || one.run(address, lines, manner, pulse)));
            }
            let mut result = strike(server, pulse, rng, disk);
            server.kill();
            for thread in threads {
                let ended = thread.join().unwrap_or_else(|_| Err("a client panicked".to_owned()));
                result = result.and(ended);
            }
            result
        })
    }

    /// Looks at everything that is stored since the last time, or at all of it.
    pub(crate) fn look(&mut self, server: &Server, everything: bool) -> Result<(), String> {
        loop {
            let mut stopped = false;
            match self.read(server, everything, &mut stopped) {
                // A deadline of the server passed while all of us stood still.
                Err(why) if stopped && why.contains("storage_unavailable") => {}
                read => return read.and_then(|()| self.judge()),
            }
        }
    }

    fn read(
        &mut self,
        server: &Server,
        everything: bool,
        stopped: &mut bool,
    ) -> Result<(), String> {
        let token = self.subscribers.first().ok_or("not set up")?.token.clone();
        let client = Client::arrive(&server.address, Door::Lines, &token)?;
        let mut client = client.ok_or("nobody there")?;
        let read = self.referee.read(&mut client, &self.lines, 0..SHARED, everything);
        *stopped |= client.was_stopped();
        read?;
        for one in &self.runners {
            one.judge(&mut client, &self.watcher, everything)?;
        }
        for at in SHARED..self.lines.len() {
            let device = self.devices.iter().find(|device| device.line == at).ok_or("no device")?;
            let mut client = device.look(&server.address)?.ok_or("nobody there")?;
            let mut read = self.referee.read(&mut client, &self.lines, at..at + 1, everything);
            if read.is_ok() {
                read = self.referee.read_notifications(&mut client, at, everything);
            }
            *stopped |= client.was_stopped();
            read?;
        }
        Ok(())
    }

    fn judge(&mut self) -> Result<(), String> {
        let books: Vec<_> = self.publishers.iter().map(|one| one.entries.as_slice()).collect();
        self.referee.judge(&books)?;
        for one in &mut self.subscribers {
            let heard = std::mem::take(&mut one.heard);
            self.referee
                .compare(&heard)
                .map_err(|why| format!("subscriber {}: {why}", one.number))?;
        }
        for one in &mut self.devices {
            let heard = std::mem::take(&mut one.heard);
            self.referee.compare(&heard)?;
            self.referee.judge_device(one)?;
        }
        process::panics(&self.place.log).map_or(Ok(()), Err)
    }

    /// Each device comes back for what it has not got yet.
    fn catch_up(&mut self, server: &Server) -> Result<(), String> {
        for one in &mut self.devices {
            let until = self.referee.last_told(one.line);
            one.run(&server.address, &self.lines, Manner::PATIENT, Some(until))?;
            if one.done < until {
                return Err(format!(
                    "line {}: lost behind {}, {until} is there",
                    one.line, one.done
                ));
            }
        }
        Ok(())
    }

    /// The last look: everything, a clean stop, and the file itself.
    pub(crate) fn end(mut self) -> Result<Tally, String> {
        if let Some(disk) = &self.disk {
            disk.empty();
        }
        let mut server = self.start(&[])?;
        self.look(&server, true)?;
        self.catch_up(&server)?;
        // They may have marked what they found.
        self.look(&server, false)?;
        server.signal("TERM");
        let status = server.dies_within(crate::wire::DEADLINE).ok_or("it does not stop")?;
        if !status.success() {
            return Err(format!("stopped with {status}"));
        }
        if self.disk.is_none() {
            self.file()?;
        }
        let stored: usize = self.referee.lines.iter().map(Vec::len).sum();
        self.tally.add("stored", stored as u64);
        let unknown = self.publishers.iter().map(Publisher::unknown).sum::<usize>();
        self.tally.add("without an answer", unknown as u64);
        for tally in self.publishers.iter_mut().map(|one| &mut one.tally) {
            self.tally.join(std::mem::take(tally));
        }
        for tally in self.subscribers.iter_mut().map(|one| &mut one.tally) {
            self.tally.join(std::mem::take(tally));
        }
        for tally in self.devices.iter_mut().map(|one| &mut one.tally) {
            self.tally.join(std::mem::take(tally));
        }
        for tally in self.runners.iter_mut().map(|one| &mut one.tally) {
            self.tally.join(std::mem::take(tally));
        }
        self.tally.join(std::mem::take(&mut self.watcher.tally));
        self.tally.join(std::mem::take(&mut self.worker.tally));
        self.tally.join(std::mem::take(&mut self.caller.tally));
        drop(self.disk);
        fs::remove_dir_all(&self.folder).map_err(|error| error.to_string())?;
        Ok(self.tally)
    }

    /// The database is sound, and its logs tell of each message once, without holes.
    fn file(&self) -> Result<(), String> {
        const HOLES: &str = "SELECT (SELECT count(*) FROM (SELECT chat FROM log GROUP BY chat \
            HAVING count(*) <> max(number) OR min(number) <> 1)) \
            + (SELECT count(*) FROM messages m WHERE (SELECT count(*) FROM log l \
            WHERE l.chat = m.chat AND l.kind = 1 AND l.subject = m.seq) <> 1) \
            + (SELECT count(*) FROM channels c WHERE (c.first_offset, c.last_offset, c.last_offset) \
            <> (SELECT 1, count(*), ifnull(max(number), 0) FROM publications p \
            WHERE p.channel = c.key))";
        let read = || -> rusqlite::Result<(String, i64)> {
            let file = rusqlite::Connection::open(self.place.data.join("stentor.db"))?;
            let sound = file.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
            Ok((sound, file.query_row(HOLES, [], |row| row.get(0))?))
        };
        match read().map_err(|error| format!("the file: {error}"))? {
            (sound, 0) if sound == "ok" => Ok(()),
            (sound, holes) => Err(format!("the file is {sound}, with {holes} holes in its logs")),
        }
    }
}

/// Something that can be written into from now on.
fn line(member: &mut Client, channel: String, id: String) -> Result<Line, String> {
    let data = member.ok(&json!({"type": "history", "channel": channel, "limit": 1}))?;
    let epoch = data["epoch"].as_str().ok_or("no epoch")?.to_owned();
    Ok(Line { id, channel, epoch })
}
