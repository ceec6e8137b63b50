// A stand-in for PostgREST with hftok behind it: it knows alice, and refuses everything else as hftok refuses bad input.
import { createServer } from "node:http";

const server = createServer((request, response) => {
    response.setHeader("Access-Control-Allow-Origin", "*");
    response.setHeader("Content-Type", "application/json");
    if (request.url === "/rpc/whoami") {
        response.end(JSON.stringify("alice"));
    } else {
        response.statusCode = 400;
        response.end(JSON.stringify({ code: "22023", message: "there is no provider of this name" }));
    }
});
server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
