#include "client.hpp"

namespace stentor {

Client::Client(const std::string& host, const std::string& port,
               std::function<void(const v1::Event&)> on_event)
    : socket_(host, port, "stentor.v1.protobuf"), on_event_(std::move(on_event)) {
  const auto first = next(WebSocket::Clock::now() + kTimeout);
  if (!first || !first->has_hello()) throw std::runtime_error("the server does not say hello");
  hello_ = first->hello().payload();
}

v1::Reply Client::authenticate(const std::string& auth_token, const v1::ClientInfo& client_info) {
  v1::ClientMessage request;
  request.mutable_auth()->set_token(auth_token);
  *request.mutable_auth()->mutable_client_info() = client_info;
  return ask(std::move(request));
}

v1::Reply Client::ask(v1::ClientMessage request) {
  // Replies of ui_action, data_request and command may overtake each other: the id tells them apart.
  const std::string id = std::to_string(++requests_);
  request.set_request_id(id);
  socket_.send(request.SerializeAsString());
  const auto until = WebSocket::Clock::now() + kTimeout;
  while (const auto message = next(until)) {
    if (message->has_event()) on_event_(message->event());
    if (!message->has_reply() || message->reply().request_id() != id) continue;
    if (message->reply().status() != "ok") throw Refused(message->reply());
    return message->reply();
  }
  throw std::runtime_error("no reply within the time");
}

void Client::listen(std::chrono::milliseconds time) {
  const auto until = WebSocket::Clock::now() + time;
  while (const auto message = next(until)) {
    if (message->has_event()) on_event_(message->event());
  }
}

std::optional<v1::ServerMessage> Client::next(WebSocket::Clock::time_point until) {
  const auto bytes = socket_.receive(until);
  if (!bytes) return std::nullopt;
  v1::ServerMessage message;
  if (!message.ParseFromString(*bytes)) throw std::runtime_error("no Protobuf of stentor.v1");
  return message;
}

}  // namespace stentor
