// An echo, or with `fan` a broadcast to everyone else. Started by the bench when bun is installed.
const fan = process.argv[2] === "fan";
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch(request, server) {
    return server.upgrade(request) ? undefined : new Response("", { status: 404 });
  },
  websocket: {
    perMessageDeflate: false,
    maxPayloadLength: 16 << 20,
    idleTimeout: 0,
    open(ws) {
      if (fan) ws.subscribe("b");
    },
    message(ws, message) {
      if (fan) ws.publish("b", message);
      else ws.send(message);
    },
  },
});
console.log(`listening 127.0.0.1:${server.port}`);
