// The protocol of Stentor over Protobuf: a request and its reply, events on the way.
#pragma once

#include <functional>
#include <string>

#include "stentor/v1/stentor.pb.h"
#include "websocket.hpp"

namespace stentor {

// The server said no. `code` is stable, `what()` is for people.
struct Refused : std::runtime_error {
  explicit Refused(const v1::Reply& reply)
      : std::runtime_error(reply.type() + ": " + reply.code() + ": " + reply.message()),
        reply(reply) {}
  v1::Reply reply;
};

class Client {
 public:
  // Connects and waits for the hello.
  Client(const std::string& host, const std::string& port,
         std::function<void(const v1::Event&)> on_event);

  // What the server said of itself and its limits, as JSON.
  const std::string& hello() const { return hello_; }

  // Shows a token and says who we are (`auth_token` and `client_info`).
  v1::Reply authenticate(const std::string& auth_token, const v1::ClientInfo& client_info);

  // Sends a request and waits for its reply; events that come before it are handed on. A request
  // is not sent twice: after Closed nobody knows whether it was carried out.
  v1::Reply ask(v1::ClientMessage request);

  // Hands on what comes within so much time.
  void listen(std::chrono::milliseconds time);

  void close() { socket_.close(); }

 private:
  // Requests that take longer are given up; the server's own limit is 30 s.
  static constexpr std::chrono::seconds kTimeout{35};

  std::optional<v1::ServerMessage> next(WebSocket::Clock::time_point until);

  WebSocket socket_;
  std::function<void(const v1::Event&)> on_event_;
  std::string hello_;
  std::uint64_t requests_ = 0;
};

}  // namespace stentor
