// The npm package oidc-provider on a port of its own, which it prints. Each line of JSON on standard input says which
// client there is, and of which domain the people are: whoever signs in as "grace" is grace@{domain}.
import { createServer } from "node:http";
import { createInterface } from "node:readline";

import Provider from "oidc-provider";

let answer = (request, response) => response.writeHead(503).end();
const server = createServer((request, response) => answer(request, response));

function become(issuer, { clientId, clientSecret, redirectUri, domain }) {
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: clientId,
        client_secret: clientSecret,
        redirect_uris: [redirectUri],
        response_types: ["code"],
        grant_types: ["authorization_code"],
        token_endpoint_auth_method: "client_secret_basic",
      },
    ],
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
    conformIdTokenClaims: false, // as Entra ID and Google do: the ID token says who it is
    cookies: { keys: ["tests"] },
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({ sub: id, email: `${id}@${domain}`, email_verified: true, name: "Grace Hopper" }),
    }),
  });
  answer = provider.callback();
}

server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  become(issuer, { clientId: "none", clientSecret: "none", redirectUri: `${issuer}/none`, domain: "example.com" });
  createInterface({ input: process.stdin })
    .on("line", (line) => {
      become(issuer, JSON.parse(line));
      console.log("ready");
    })
    .on("close", () => process.exit());
  console.log(issuer);
});
