//! Instructions in user space per echo of 64 B: callgrind's count of 200,000 echoes less that of
//! 100,000, on one connection, one in flight. `cargo bench --bench instructions` fails when the
//! number has grown by 5 % over the one in `benches/instructions.txt`; `-- --write` puts it there.
//!
//! The number is of this compiler and this machine's kind of processor, and the same every time.
//! Limit: without valgrind nothing is checked, and it says so.

use std::convert::Infallible;
use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

use stentor::base::id::ConnectionId;
use stentor::handler::{Context, Handler, Message, Segment, Tag};
use stentor::protocol::websocket::{Opcode, encoder};
use stentor::server::Server;

/// Echoes of the shorter run; the longer one has twice as many.
const ECHOES: u64 = 100_000;
/// Where the number is kept.
const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/instructions.txt");
const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

/// The handler of `examples/echo.rs`.
struct Echo;

impl Handler for Echo {
    type Job = Infallible;
    type Done = Infallible;
    type Peer = Infallible;
    type Timer = Infallible;

    fn message(&mut self, cx: &mut Context<'_, Self>, from: ConnectionId, message: Message<'_>) {
        cx.send(from, Segment::Lent(0..message.bytes.len()), Tag::REPLY);
    }

    /// One client, and when it has gone there is nothing left to do.
    fn closed(&mut self, _: &mut Context<'_, Self>, _: ConnectionId) {
        std::process::exit(0);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let said = |word: &str| words.iter().any(|said| said == word);
    if said("--serve") {
        return Ok(serve()?);
    }
    if said("--test") {
        // The other benches try themselves once; this one takes a debugger to do that.
        return Ok(());
    }
    let version = Command::new("valgrind").arg("--version").stdout(Stdio::null()).status();
    if !version.is_ok_and(|status| status.success()) {
        writeln!(io::stdout(), "instructions: left out, valgrind is not installed")?;
        return Ok(());
    }
    let each = total(2 * ECHOES)?.saturating_sub(total(ECHOES)?) / ECHOES;
    if said("--write") {
        std::fs::write(KEPT, format!("{each}\n"))?;
        writeln!(io::stdout(), "instructions: {each} per echo of 64 B, written")?;
        return Ok(());
    }
    let kept: u64 = std::fs::read_to_string(KEPT)?.trim().parse()?;
    writeln!(io::stdout(), "instructions: {each} per echo of 64 B, {kept} before")?;
    if each * 100 >= kept * 105 {
        return Err(format!("an echo takes {each} instructions, {kept} before: 5 % more").into());
    }
    if each * 100 < kept * 95 {
        writeln!(io::stdout(), "keep what was won: cargo bench --bench instructions -- --write")?;
    }
    Ok(())
}

fn serve() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let server = Server::builder(|_| Echo).listener(listener).loops(1).build()?;
    writeln!(io::stdout(), "{}", server.local_addrs()[0])?;
    server.run()
}

/// What callgrind counts while a server of its own echoes so often.
fn total(echoes: u64) -> Result<u64, Box<dyn Error>> {
    let file = std::env::temp_dir().join(format!("stentor-{}-{echoes}", std::process::id()));
    let mut server = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(std::env::current_exe()?)
        .arg("--serve")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut address = String::new();
    let stdout = server.stdout.take().ok_or("no stdout")?;
    BufReader::new(stdout).read_line(&mut address)?;
    let echoed = echo(address.trim(), echoes);
    if echoed.is_err() {
        server.kill()?;
    }
    server.wait()?;
    echoed?;
    let count = read_total(&file);
    std::fs::remove_file(&file)?;
    count
}

fn echo(address: &str, echoes: u64) -> Result<(), Box<dyn Error>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.write_all(UPGRADE.as_bytes())?;
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let mut message = Vec::new();
    encoder::encode_masked_into(&mut message, Opcode::Text, &[b'x'; 64], [1, 2, 3, 4]);
    let mut answer = [0; 66];
    for _ in 0..echoes {
        stream.write_all(&message)?;
        stream.read_exact(&mut answer)?;
    }
    Ok(())
}

fn read_total(file: &Path) -> Result<u64, Box<dyn Error>> {
    let text = std::fs::read_to_string(file)?;
    let line = text.lines().find_map(|line| line.strip_prefix("totals: "));
    Ok(line.ok_or("callgrind counted nothing")?.trim().parse()?)
}
