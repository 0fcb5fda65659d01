// A WebSocket client (RFC 6455) on a blocking POSIX socket: binary messages, nothing more.
//
// For TLS, put a TLS stream in place of the descriptor; everything else stays.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace stentor {

// The connection is over. `code` is that of the Close frame, 1006 when none came; the ranges of
// 4000-4999 say whether to come back (docs/protocol.md).
struct Closed : std::runtime_error {
  Closed(std::uint16_t code, const std::string& reason)
      : std::runtime_error("closed " + std::to_string(code) + " " + reason), code(code) {}
  std::uint16_t code;
};

class WebSocket {
 public:
  using Clock = std::chrono::steady_clock;

  // Connects and upgrades (section 4.1). Throws std::runtime_error when the server will not.
  WebSocket(const std::string& host, const std::string& port, const std::string& subprotocol);
  ~WebSocket();
  WebSocket(const WebSocket&) = delete;
  WebSocket& operator=(const WebSocket&) = delete;

  // Sends one binary message.
  void send(const std::string& message);

  // The next binary message; none when `until` has come first. Pings are answered on the way.
  // Throws Closed when the connection is over.
  std::optional<std::string> receive(Clock::time_point until);

  // Says good-bye and waits a moment for the answer (section 7.1.2).
  void close();

 private:
  void handshake(const std::string& host, const std::string& subprotocol);
  void send_frame(std::uint8_t opcode, const std::string& payload);
  void write_all(const std::string& bytes);
  // Reads until `buffer_` holds so many bytes; false when `until` has come first.
  bool fill(std::size_t bytes, Clock::time_point until);
  std::string take(std::size_t bytes);

  int socket_ = -1;
  std::string buffer_;
  // The parts of a message so far (section 5.4).
  std::string message_;
  bool in_message_ = false;
};

}  // namespace stentor
