// A panel of a hub: it shows its token, listens to a channel, publishes, and says what it hears.
//
//     stentor_cpp HOST PORT TOKEN [CHANNEL]
#include <iostream>

#include "client.hpp"

namespace {

void say(const char* what, const stentor::v1::Reply& reply) {
  std::cout << what << ' ' << reply.data() << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::cerr << "usage: stentor_cpp HOST PORT TOKEN [CHANNEL]\n";
    return 2;
  }
  const std::string channel = argc > 4 ? argv[4] : "public:hub";
  try {
    stentor::Client client(argv[1], argv[2], [](const stentor::v1::Event& event) {
      std::cout << "event " << event.type() << ' ' << event.channel() << ' ' << event.offset()
                << " from " << event.sender().username() << ": " << event.payload() << '\n';
    });
    std::cout << "hello " << client.hello() << '\n';

    stentor::v1::ClientInfo info;
    info.set_client_id("panel");
    info.set_version("1.0");
    info.set_platform("c++");
    say("auth", client.authenticate(argv[3], info));

    stentor::v1::ClientMessage subscribe;
    subscribe.mutable_subscribe()->set_channel(channel);
    subscribe.mutable_subscribe()->set_presence(true);
    say("subscribed", client.ask(subscribe));

    // Who else is there; from now on events of type `presence` tell who comes and goes.
    stentor::v1::ClientMessage presence;
    presence.mutable_presence()->set_channel(channel);
    say("presence", client.ask(presence));

    // JSON, and bytes of our own: clients of Protobuf get both as they are.
    const std::string payloads[] = {R"({"temperature":21.5})", std::string("\x00\xff", 2)};
    for (const std::string& payload : payloads) {
      stentor::v1::ClientMessage publish;
      publish.mutable_publish()->set_channel(channel);
      publish.mutable_publish()->set_payload(payload);
      publish.mutable_publish()->set_event("reading");
      say("published", client.ask(publish));
    }

    // Something is pressed, and a backend answers: one that has said `serve`.
    stentor::v1::ClientMessage action;
    action.mutable_ui_action()->set_action_type("button_click");
    action.mutable_ui_action()->set_params(R"({"button":"start"})");
    try {
      say("ui_action", client.ask(action));
    } catch (const stentor::Refused& refused) {
      std::cout << "refused " << refused.reply.code() << '\n';
    }

    stentor::v1::ClientMessage heartbeat;
    heartbeat.mutable_heartbeat()->set_client_time_ms(
        std::chrono::duration_cast<std::chrono::milliseconds>(
            std::chrono::system_clock::now().time_since_epoch())
            .count());
    say("heartbeat", client.ask(heartbeat));

    client.listen(std::chrono::milliseconds(200));
    client.close();
  } catch (const stentor::Closed& closed) {
    // 4200-4299: come back now; 4300-4399: with another token; 4000-4099: do not.
    std::cerr << closed.what() << '\n';
    return 1;
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
