//! The rows: what is done to the server, and what must come of it.
//!
//! `ID | attack | answer`, and perhaps a fourth part: `=` tests outside this folder or of another
//! row, as `file::function`; `-` why it does not apply; `?` why it is open.

/// By section, in the order of the document.
pub(super) const SECTIONS: &[(&str, &str)] = &[
    ("The first bytes", SNIFFING),
    ("HTTP and the handshake", HTTP),
    ("Frames, fragments, text, closing", FRAMES),
    ("Compression", DEFLATE),
    ("Lines and JSON", LINES),
    ("Protobuf", PROTOBUF),
    ("TLS", TLS),
    ("Slow and dead peers", SLOW),
    ("Exhaustion", EXHAUSTION),
    ("Injection and other sites", INJECTION),
];

const SNIFFING: &str = "
SN-01 | Connections, thousands of them, that never say a word. | Closed without a word when their time is over; everybody else comes in meanwhile.
SN-02 | One byte that could become anything, then another one now and then. | The time runs from the first moment and no byte moves it.
SN-03 | The opening of each protocol, one byte in a segment. | Known for what it is, as if it had come in one piece.
SN-04 | A web page posts a body that consists of commands. | The connection stays HTTP for life; no command is carried out.
SN-05 | An HTTP request behind a line. | Lines stay lines: 1008, and no page.
SN-06 | HTTP/2, SSL 2, TLS where none is spoken, plain text where only TLS is. | Refused once: a status, an alert or a closed door.
SN-07 | A mebibyte of empty lines before, or between, what is meant. | They add nothing, and HTTP takes four of them.
SN-08 | A PROXY header of somebody who is no proxy. | Closed; no address is taken from it.
SN-09 | Byte order marks, UTF-16, telnet options, noise. | An error in words; after ten of them, closed.
";

const HTTP: &str = "
HT-01 | A head of a mebibyte, whole and byte by byte. | 431 at 16 KiB, in time that grows with the bytes and no faster.
HT-02 | Two thousand small header fields. | 431 at the 101st.
HT-03 | A request line of 64 KiB. | 414.
HT-04 | A head, or a body, that comes a byte at a time for ever. | 408 at a deadline that no byte moves.
HT-05 | No Host, two of them, an empty one where a name is needed. | 400.
HT-06 | Line ends, blanks, controls and names that two readers would read in two ways. | 400, 505 for other versions.
HT-07 | Content-Length beside Transfer-Encoding. | 400, and closed.
HT-08 | Lengths said twice, signed, in hexadecimal, as a list, too large to be a number. | 400.
HT-09 | Codings that look like `chunked` and are not it, or come twice, or in HTTP/1.0. | Refused, and closed.
HT-10 | Chunks with sizes that overflow, are negative or badly ended, and extensions without end. | 400.
HT-11 | A body that looks like a request, and a request behind it. | The one that was sent is answered, none is born of a body.
HT-12 | Frames or requests sent along with an upgrade, before its 101. | Behind a 101 they are frames, behind a refusal they are nothing.
HT-13 | Another version of WebSocket, none, two. | 426 that names 13.
HT-14 | A key that is missing, of another length, not base64, or said twice. | 400.
HT-15 | Upgrades by POST, by HTTP/1.0, without the token of `Connection`, to something else. | Refused with the status for it.
HT-16 | Extensions with quotes that do not close, a thousand offers, parameters said twice. | Declined, in time that grows with the bytes and no faster.
HT-17 | Sizes of windows that are none. | The offer is declined, the connection is not.
HT-18 | A subprotocol behind 32,000 blanks, or with ends of lines in it. | Nothing comes back that is not one of ours.
HT-19 | Paths of what is not built in or not switched on, and plain connections where TLS is required. | 404 or 403, and nothing half begun.
HT-20 | The client is gone when its 101 is written. | Nothing is left of it.
HT-21 | A name of a stranger's that is pointed at this machine, so that his page is one of ours to the browser. | 403 for `/metrics`: addresses, `localhost` and listed names only.
HT-22 | Paths that lead upwards, escaped, with zeros, overlong or backslashed. | 404: nothing is read from a disk.
HT-23 | A body over its limit by its length, by its chunks, or by its slowness. | 413 before it is read, 408.
HT-24 | A body of newlines, or of ten thousand lines of one byte. | Refused before it is taken apart. | - no endpoint takes a body: POST is 404 or 405, and its length has the limit of HT-23
HT-25 | Two polls at once in one session, and one that is given up. | The older one ends, and nothing is lost. | - there is no long poll yet
HT-26 | A session whose name stands in the URL, from where it gets into logs. | It stands in a header, if at all. | - there is no long poll yet; that a token in the path is not logged is IN-02
HT-27 | A thousand methods and paths, to make `/metrics` grow. | Its labels are a closed list.
HT-28 | Packets of an unknown kind on the fallback transport. | Refused, and nothing is left of the request. | - there is no fallback transport yet
";

const FRAMES: &str = "
FR-01 | A frame without a mask. | 1002.
FR-02 | Reserved bits and reserved opcodes. | 1002.
FR-03 | Lengths with the top bit, of exabytes, or of one byte over the limit. | 1002 for the bit, 1009 for the rest, by the header alone.
FR-04 | Lengths in more bytes than they need. | 1002.
FR-05 | Control frames that are long, in parts, or compressed. | 1002.
FR-06 | Pings within a message, and pings as fast as the wire can. | Answered, and nobody else waits.
FR-07 | Pings of one who reads no Pong. | Closed when its queue is full.
FR-08 | Zeros, lone carriage returns and line separators of Unicode within text. | They arrive as they were sent, and forge no line.
FR-09 | Binary frames where JSON is spoken. | 1003.
FG-01 | A part without a beginning, a beginning within a message. | 1002.
FG-02 | A message of more parts than may be, empty ones included. | 1008, whatever their size.
FG-03 | Parts whose sum is the limit, and one byte more. | The first is a message, the second 1009.
FG-04 | The first part of a message, then silence, or pings, or a byte now and then. | 1008 when its time is over.
U8-01 | Text that is not UTF-8: surrogates, overlong forms, what lies above Unicode. | 1007, at the octet that shows it.
U8-02 | A character in two parts, or in two segments. | It is one character.
U8-03 | A reason that is not UTF-8, a Ping that is not. | 1007 for the first; the second is bytes and comes back.
CL-01 | A Close frame of one byte. | 1002.
CL-02 | Codes that nobody may send. | 1002; those that may be sent come back.
CL-03 | Data, and another Close frame, behind a Close frame. | One answer, and nothing is heard.
CL-04 | A client that never closes its side. | It is closed for it.
CL-05 | A reason of ours that is longer than a frame may have. | Cut between two characters, with nothing of anybody else in it. | = src/protocol/websocket/encoder.rs::a_long_reason_is_cut_at_a_character
";

const DEFLATE: &str = "
PD-01 | A message that unfolds to a thousand times its size. | 1009 at the limit, and the memory of one message.
PD-02 | The same in a thousand parts; parts that are too much before they are unfolded. | 1009; what came and what it unfolds to are counted apart.
PD-03 | What unfolds to exactly the limit, and to one byte more. | Answered; 1009.
PD-04 | Nothing, half a block, a length that contradicts itself, a kind of block that does not exist. | Nothing is a message, the others are 1007.
PD-05 | The bit of compression on a later part, on a control frame, or where none was agreed on. | 1002.
PD-06 | Messages behind a stream that was broken. | Nothing is unfolded any more.
PD-07 | Hundreds of idle connections that ask for contexts. | None is kept by default; otherwise as many as the budget has.
PD-08 | Text of an attacker's beside a secret, to be guessed by its length. | What holds a token is never compressed.
PD-09 | Receivers of a compressed broadcast that stop or vanish in its midst. | The others get every byte as it was.
PD-10 | Settings that change while connections live. | What was agreed on stays. | - a running server takes new certificates and nothing else
";

const LINES: &str = "
LN-01 | A line without an end. | `too_large` at the limit, bye 1009, no more memory than that.
LN-02 | Half a line, then silence. | 4103 before authentication, 1008 behind it.
LN-03 | Empty lines and lines of blanks, a million of them. | They add nothing and delay nobody.
LN-04 | Zeros, broken UTF-8, byte order marks, lone surrogates. | `bad_json`.
LN-05 | Brackets a hundred thousand deep. | `bad_json`, and the stack does not grow.
LN-06 | A key said twice, also in two spellings. | `bad_json`.
LN-07 | Numbers beyond all bounds, and integers beyond floating point. | Refused, or kept to the digit; never rounded.
LN-08 | Pages of minus one, of a billion, from the end of time. | An error by field, or the longest page there is.
LN-09 | Fields of a wrong type, names out of the insides of other languages. | An error that names the field; the connection stays.
LN-10 | Names with wildcards, controls, marks of direction, twins in another case or spelling. | Refused; one name has one spelling.
LN-11 | Keys by the thousand, chosen to collide. | Time that grows with their bytes and no faster.
LN-12 | Fifty thousand requests in one go. | Answered in order, and nobody else waits.
LN-13 | Wrong requests that wait in line behind right ones. | Refused in the same words, in their order.
LN-14 | Long messages behind a registration, in one piece with it. | Read by the limits of a user.
";

const PROTOBUF: &str = "
PB-01 | Messages that are cut, claim more than there is, hold numbers without end, or groups. | `bad_request`, by the byte or by the verb.
PB-02 | Messages that ask nothing, two things, something unknown, or under two ids. | `bad_request` or `unknown_type`; nothing of it is done.
PB-03 | JSON within a message that no JSON client may send, numbers that JSON has not. | `bad_request` that names the field.
PB-04 | A message of the longest length and one byte more; thousands of empty parts in one. | The first is read, the second 1009; the parts cost what they are long.
PB-05 | Text where Protobuf is spoken. | 1003.
PB-06 | Wrong messages without end. | 4002 at the tenth in a row.
";

const TLS: &str = "
TL-01 | A handshake of one byte in a record or a segment. | It works, or gets an alert. | = tests/tls/cuts.rs::tls_1_3_may_come_in_any_two_parts, tests/tls/cuts.rs::tls_1_2_may_come_in_any_two_parts, tests/tls/hostile.rs::a_hello_in_records_of_one_byte_works_or_gets_an_alert
TL-02 | A farewell in the middle of a handshake. | Closed, and the loop does not spin. | = tests/tls/endings.rs::close_notify_in_the_middle_of_a_handshake_ends_it
TL-03 | Half a handshake and then nothing, hundreds of times. | Closed when their time is over, and nobody waits for them. | = tests/tls/hostile.rs::a_thousand_that_say_nothing_keep_nobody_out, tests/tls/hostile.rs::a_handshake_has_its_time_and_not_more
TL-04 | Records faster than they can be worked on. | No more is read than there is room for. | = tests/tls/large.rs::both_sides_full_is_no_deadlock
TL-05 | Floods of empty records, warnings, and new keys. | Closed. | = tests/tls/hostile.rs::key_updates_are_answered_and_a_flood_of_them_ends_the_connection
TL-06 | A peer that reads nothing of what is encrypted for it. | What waits counts as its queue. | = tests/tls/large.rs::what_is_encrypted_and_not_sent_counts_as_queued, tests/tls/large.rs::who_does_not_read_is_closed_over_tls_as_without
TL-07 | Protocols that are not ours in ALPN, a name that is not ours in SNI. | An alert for the first; the one certificate for the second. | = tests/tls/doors.rs::alpn_is_http_1_1_or_nothing
TL-08 | Certificates that are broken, expired or of another key, at a reload. | The old ones stay, and the log says why. | = tests/tls/reload.rs::whatever_is_wrong_with_the_new_files_the_old_ones_stay
TL-09 | Certificates of clients: none, of strangers, by the hundred. | Refused, and no more is read than a handshake has. | = tests/tls/client_auth.rs::who_must_show_a_certificate_is_refused_without, tests/tls/client_auth.rs::who_may_show_a_certificate_needs_none_but_no_wrong_one, tests/tls/hostile.rs::more_than_a_handshake_has_is_not_read
TL-10 | A stream that ends without a farewell. | A message that is not whole is none. | = tests/tls/endings.rs::a_stream_that_is_cut_gives_no_message_that_is_not_whole
TL-11 | Handshakes as fast as they can be made. | Whoever is in is served meanwhile. | = tests/tls/storm.rs::who_is_in_is_served_while_others_come_in
";

const SLOW: &str = "
SL-01 | A subscriber that stops reading a busy channel. | 4101 when its queue is full; nobody else notices.
SL-02 | A reader of a byte at a time, who is alive all the while. | Judged by what waits, not by signs of life.
SL-03 | The smallest window that a kernel gives. | As SL-01.
SL-04 | A peer that was pulled from the net. | 4102 without a Pong; on lines when the kernel gives up.
SL-05 | Dozens of subscribers that stop at once. | Each is closed for itself, they share the bytes, the publisher is answered as before.
SL-06 | Pages that nobody reads. | No page is rendered while earlier ones wait.
SL-07 | A client that vanishes between what it said and the answer. | Asked again it is stored once.
SL-08 | Receivers for whom there is no room: something could be left out without a word. | What arrives is without a hole up to the close.
";

const EXHAUSTION: &str = "
RX-01 | More connections than descriptors. | Accepting waits, and goes on by itself. | = tests/net/process.rs::out_of_descriptors_is_survived_without_spinning_or_forgetting_anyone
RX-02 | Failures of accept: aborted, interrupted, out of memory. | Tried again, after a wait where that helps. | = src/net/listener.rs::errors_are_sorted_by_what_they_ask_for, src/net/listener.rs::a_failure_waits_longer_each_time_and_a_success_forgets_it
RX-03 | More connections than may be, of one address or of all. | Each door says so in its own words; places are given again. | = tests/net/admission.rs::above_the_limit_a_connection_is_told_and_below_it_the_next_comes_in, tests/net/admission.rs::a_policy_decides_and_hears_of_each_it_let_in
RX-04 | Thousands who come and go at once. | Nothing is left of them.
RX-05 | A container with little memory, and everything it can hold in use. | Load is shed in steps before the kernel kills. | - there are no steps: each queue and buffer has a bound of its own, with a number, and what they make together is for the operator to provide
RX-06 | Channels without end on one connection. | 128, then `conflict`.
RX-07 | A flood of logins. | As many hashes at once as there are workers, the rest waits or is told `overloaded`; the loops never hash.
RX-08 | Passwords of a mebibyte. | Refused before they are hashed.
RX-09 | Large messages to a crowd. | One copy for all of them.
RX-10 | A panic of a handler in the middle of a request. | 1011 or 500 for the one who caused it, and the loop goes on. | = tests/net/life.rs::who_made_it_panic_is_told_that_it_was_our_fault, tests/net/life.rs::a_panic_costs_one_connection_and_is_counted
RX-11 | Lengths that nobody could allocate. | 1009 before anything is. | = tests/attacks/framing.rs::fr_03_lengths_that_nobody_can_send
RX-12 | Broken rules by the thousand, to fill the log. | A short line for a connection at most, without what was sent.
RX-13 | A hundred thousand deadlines. | Setting and firing take a few steps each; nothing is searched. | = src/base/timer/tests.rs::a_hundred_thousand_timers_take_few_steps_each
RX-14 | The 21st connection of a user. | 4003 for that one, and no other.
RX-15 | Requests without a user, bad requests without end. | 4104 at the eleventh, 4002 at the tenth in a row.
RX-16 | A user faster than its rate, on several connections. | `rate_limited`, with the time to wait.
RX-17 | Hundreds of requests in one frame. | Answered in their order.
RX-18 | A limit of file size that strikes in the middle of a write. | The server ends in words, and what was acknowledged is there.
";

const INJECTION: &str = "
IN-01 | Text that is SQL, or a pattern, in every field that is searched or stored. | It is text.
IN-02 | Controls, line ends and secrets, for the log. | Nothing of them is in it.
IN-03 | Text that is HTML or a script, for the page. | The page's policy allows nothing but itself.
IN-04 | Ends of lines and patterns in names that go to Redis. | They arrive as names. | - there is no Redis yet
IN-05 | Ends of lines in what might come back in a head. | No header is born.
IN-06 | Quotes and line ends for the labels of `/metrics`. | Labels are a closed list. | = tests/attacks/http.rs::ht_27_the_names_of_metrics_do_not_grow_with_what_is_asked
XO-01 | Pages of another site, with whatever the browser knows of its user. | 403.
XO-02 | Origins that differ by a scheme, a port, a dot, a letter's case, or come twice. | 403: compared exactly.
XO-03 | No Origin. | Allowed: nothing is granted by cookies.
XO-04 | Questions of a browser whether another site may read the answers. | No header ever says so.
XO-05 | A form of another site that posts what happens to be JSON. | Nothing is done, nothing is kept in a cookie.
";
