#include "websocket.hpp"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <random>
#include <utility>

namespace stentor {
namespace {

constexpr std::uint8_t kContinuation = 0x0, kBinary = 0x2, kClose = 0x8, kPing = 0x9, kPong = 0xa;
// The longest message that is taken; the server tells its own limit in `hello`.
constexpr std::uint64_t kMessageBytesMax = 16 << 20;
constexpr std::size_t kHeadBytesMax = 16 << 10;
constexpr std::chrono::seconds kPatience{10};

std::string random_bytes(std::size_t count) {
  static std::random_device device;
  std::string bytes;
  while (bytes.size() < count) bytes.push_back(static_cast<char>(device() & 0xff));
  return bytes;
}

std::string base64(const std::string& bytes) {
  static const char* const kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - at);
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      group = group << 8 | (i < count ? static_cast<unsigned char>(bytes[at + i]) : 0);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      text.push_back(i <= count ? kLetters[group >> (18 - 6 * i) & 0x3f] : '=');
    }
  }
  return text;
}

// SHA-1 (RFC 3174), for Sec-WebSocket-Accept only.
std::string sha1(std::string message) {
  std::array<std::uint32_t, 5> h = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
  const auto rotate = [](std::uint32_t x, int n) { return x << n | x >> (32 - n); };
  const std::uint64_t bits = message.size() * 8;
  message.push_back(static_cast<char>(0x80));
  while (message.size() % 64 != 56) message.push_back(0);
  for (int i = 7; i >= 0; --i) message.push_back(static_cast<char>(bits >> (8 * i)));
  for (std::size_t block = 0; block < message.size(); block += 64) {
    std::array<std::uint32_t, 80> w{};
    for (std::size_t i = 0; i < 64; ++i) {
      w[i / 4] = w[i / 4] << 8 | static_cast<unsigned char>(message[block + i]);
    }
    for (std::size_t i = 16; i < 80; ++i) {
      w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    }
    auto [a, b, c, d, e] = h;
    for (std::size_t i = 0; i < 80; ++i) {
      std::uint32_t f, k;
      if (i < 20) {
        f = (b & c) | (~b & d), k = 0x5a827999;
      } else if (i < 40) {
        f = b ^ c ^ d, k = 0x6ed9eba1;
      } else if (i < 60) {
        f = (b & c) | (b & d) | (c & d), k = 0x8f1bbcdc;
      } else {
        f = b ^ c ^ d, k = 0xca62c1d6;
      }
      const std::uint32_t next = rotate(a, 5) + f + e + k + w[i];
      e = d, d = c, c = rotate(b, 30), b = a, a = next;
    }
    h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
  }
  std::string digest;
  for (const std::uint32_t word : h) {
    for (int i = 3; i >= 0; --i) digest.push_back(static_cast<char>(word >> (8 * i)));
  }
  return digest;
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

// The value of a header field, empty when there is none.
std::string field(const std::string& head, const std::string& name) {
  const std::string wanted = "\r\n" + lower(name) + ":";
  const std::size_t at = lower(head).find(wanted);
  if (at == std::string::npos) return {};
  const std::size_t start = head.find_first_not_of(" \t", at + wanted.size());
  return head.substr(start, head.find("\r\n", start) - start);
}

}  // namespace

WebSocket::WebSocket(const std::string& host, const std::string& port,
                     const std::string& subprotocol) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  if (const int error = getaddrinfo(host.c_str(), port.c_str(), &hints, &found)) {
    throw std::runtime_error(host + ": " + gai_strerror(error));
  }
  for (addrinfo* at = found; at != nullptr && socket_ < 0; at = at->ai_next) {
    socket_ = ::socket(at->ai_family, at->ai_socktype, at->ai_protocol);
    if (socket_ >= 0 && ::connect(socket_, at->ai_addr, at->ai_addrlen) != 0) {
      ::close(socket_);
      socket_ = -1;
    }
  }
  freeaddrinfo(found);
  if (socket_ < 0) throw std::runtime_error(host + ":" + port + ": " + std::strerror(errno));
  try {
    handshake(host + ":" + port, subprotocol);
  } catch (...) {
    ::close(socket_);
    throw;
  }
}

WebSocket::~WebSocket() { ::close(socket_); }

void WebSocket::handshake(const std::string& host, const std::string& subprotocol) {
  const std::string key = base64(random_bytes(16));
  write_all("GET /ws HTTP/1.1\r\nHost: " + host +
            "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13"
            "\r\nSec-WebSocket-Key: " + key + "\r\nSec-WebSocket-Protocol: " + subprotocol +
            "\r\n\r\n");
  const auto until = Clock::now() + kPatience;
  std::size_t end;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
    if (buffer_.size() > kHeadBytesMax || !fill(buffer_.size() + 1, until)) {
      throw std::runtime_error("no answer to the upgrade");
    }
  }
  const std::string head = take(end + 4);
  if (head.compare(0, 12, "HTTP/1.1 101") != 0) {
    throw std::runtime_error("refused: " + head.substr(0, head.find("\r\n")));
  }
  // Section 4.1: a server that did not understand must not be talked to.
  if (field(head, "Sec-WebSocket-Accept") !=
      base64(sha1(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))) {
    throw std::runtime_error("the server did not answer our key");
  }
  if (field(head, "Sec-WebSocket-Protocol") != subprotocol) {
    throw std::runtime_error("the server does not speak " + subprotocol);
  }
}

void WebSocket::send(const std::string& message) { send_frame(kBinary, message); }

void WebSocket::send_frame(std::uint8_t opcode, const std::string& payload) {
  std::string frame;
  frame.push_back(static_cast<char>(0x80 | opcode));
  const std::uint64_t length = payload.size();
  const auto big_endian = [&frame, length](int bytes) {
    for (int i = bytes - 1; i >= 0; --i) frame.push_back(static_cast<char>(length >> (8 * i)));
  };
  if (length < 126) {
    frame.push_back(static_cast<char>(0x80 | length));
  } else if (length < 65536) {
    frame.push_back(static_cast<char>(0x80 | 126));
    big_endian(2);
  } else {
    frame.push_back(static_cast<char>(0x80 | 127));
    big_endian(8);
  }
  // Section 5.3: a client masks what it sends, each frame by a key of its own.
  const std::string mask = random_bytes(4);
  frame += mask;
  for (std::size_t i = 0; i < payload.size(); ++i) {
    frame.push_back(static_cast<char>(payload[i] ^ mask[i % 4]));
  }
  write_all(frame);
}

std::optional<std::string> WebSocket::receive(Clock::time_point until) {
  for (;;) {
    // A header of two octets says how long it is; nothing is taken before all of a frame is there.
    if (!fill(2, until)) return std::nullopt;
    const auto octet = [this](std::size_t at) { return static_cast<unsigned char>(buffer_[at]); };
    const std::uint8_t first = octet(0), opcode = first & 0x0f;
    if ((first & 0x70) != 0 || (octet(1) & 0x80) != 0) throw Closed(1002, "no frame of a server");
    std::size_t header = 2;
    std::uint64_t length = octet(1) & 0x7f;
    if (length >= 126) {
      header = length == 126 ? 4 : 10;
      if (!fill(header, until)) return std::nullopt;
      length = 0;
      for (std::size_t at = 2; at < header; ++at) length = length << 8 | octet(at);
    }
    if (length > kMessageBytesMax - message_.size()) throw Closed(1009, "too long for us");
    if (!fill(header + length, until)) return std::nullopt;
    take(header);
    const std::string payload = take(length);
    switch (opcode) {
      case kPing:
        send_frame(kPong, payload);
        continue;
      case kPong:
        continue;
      case kClose: {
        // Section 5.5.1: answered with the same code.
        send_frame(kClose, payload.substr(0, 2));
        if (payload.size() < 2) throw Closed(1005, "");
        const auto byte = [&payload](int at) { return static_cast<unsigned char>(payload[at]); };
        throw Closed(static_cast<std::uint16_t>(byte(0) << 8 | byte(1)), payload.substr(2));
      }
      case kBinary:
      case kContinuation:
        if ((opcode == kContinuation) != in_message_) throw Closed(1002, "parts out of order");
        message_ += payload;
        in_message_ = (first & 0x80) == 0;
        if (!in_message_) return std::exchange(message_, {});
        continue;
      default:
        throw Closed(1003, "only binary messages are expected");
    }
  }
}

void WebSocket::close() {
  send_frame(kClose, "\x03\xe8");
  try {
    while (receive(Clock::now() + std::chrono::seconds(1))) {
    }
  } catch (const Closed&) {
  }
}

void WebSocket::write_all(const std::string& bytes) {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t count = ::send(socket_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw Closed(1006, std::strerror(errno));
    sent += static_cast<std::size_t>(count);
  }
}

bool WebSocket::fill(std::size_t bytes, Clock::time_point until) {
  while (buffer_.size() < bytes) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
    pollfd waiting{socket_, POLLIN, 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(std::clamp<long long>(left, 0, 60'000)));
    if (ready < 0 && errno != EINTR) throw Closed(1006, std::strerror(errno));
    if (ready == 0 && left <= 0) return false;
    if (ready <= 0) continue;
    char chunk[16384];
    const ssize_t count = ::recv(socket_, chunk, sizeof chunk, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) throw Closed(1006, count < 0 ? std::strerror(errno) : "the server is gone");
    buffer_.append(chunk, static_cast<std::size_t>(count));
  }
  return true;
}

std::string WebSocket::take(std::size_t bytes) {
  std::string taken = buffer_.substr(0, bytes);
  buffer_.erase(0, bytes);
  return taken;
}

}  // namespace stentor
