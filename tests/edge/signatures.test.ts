// Signatures against what Amazon and the RFCs have published: the same request and key give the same signature.
import assert from "node:assert/strict";
import { scopeOf, sign } from "../../edge/client/aws_signature.ts";
import { assertion, signed } from "../../edge/client/google_assertion.ts";

const KEY = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" };
const NOW = new Date("2015-08-30T12:36:00Z");
const SESSION =
  "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8Y" +
  "UuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d" +
  "+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";

/** The requests of Amazon's test suite for Signature Version 4, and the example of its documentation (IAM, ListUsers). */
const PUBLISHED: Record<string, {
  method?: string;
  url?: string;
  headers?: [string, string][];
  body?: string;
  sessionToken?: string;
  service?: string;
  names: string;
  signature: string;
}> = {
  "get-vanilla": {
    names: "host;x-amz-date",
    signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
  },
  "get-vanilla-query-order-key-case": {
    url: "https://example.amazonaws.com/?Param2=value2&Param1=value1",
    names: "host;x-amz-date",
    signature: "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
  },
  "get-header-value-trim": {
    headers: [["My-Header1", " value1"], ["My-Header2", '"a   b   c"']],
    names: "host;my-header1;my-header2;x-amz-date",
    signature: "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
  },
  "post-vanilla": {
    method: "POST",
    names: "host;x-amz-date",
    signature: "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
  },
  "post-sts-header-before": {
    method: "POST",
    sessionToken: SESSION,
    names: "host;x-amz-date;x-amz-security-token",
    signature: "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
  },
  "post-x-www-form-urlencoded": {
    method: "POST",
    headers: [["Content-Type", "application/x-www-form-urlencoded"]],
    body: "Param1=value1",
    names: "content-type;host;x-amz-date",
    signature: "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
  },
  "IAM ListUsers": {
    url: "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08",
    headers: [["content-type", "application/x-www-form-urlencoded; charset=utf-8"]],
    service: "iam",
    names: "content-type;host;x-amz-date",
    signature: "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
  },
};

for (const [name, { names, signature, sessionToken, ...request }] of Object.entries(PUBLISHED)) {
  Deno.test(`Amazon's Signature Version 4: ${name}`, async () => {
    const {
      method = "GET",
      url = "https://example.amazonaws.com/",
      headers = [],
      service = "service",
      body,
    } = request;
    const unsigned = { method, url: new URL(url), headers, body };
    const { Authorization, ...rest } = await sign(
      unsigned,
      { ...KEY, sessionToken },
      { region: "us-east-1", service },
      NOW,
    );
    const scope = `AKIDEXAMPLE/20150830/us-east-1/${service}/aws4_request`;
    assert.equal(
      Authorization,
      `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=${names}, Signature=${signature}`,
    );
    const token = sessionToken === undefined ? {} : { "x-amz-security-token": sessionToken };
    assert.deepEqual(rest, { "x-amz-date": "20150830T123600Z", ...token });
  });
}

Deno.test("the scope of a signature is in the host's name", () => {
  assert.deepEqual(scopeOf("sts.amazonaws.com"), { service: "sts", region: "us-east-1" });
  assert.deepEqual(scopeOf("sts.eu-west-1.amazonaws.com"), { service: "sts", region: "eu-west-1" });
  assert.deepEqual(scopeOf("bedrock.us-west-2.amazonaws.com"), { service: "bedrock", region: "us-west-2" });
  assert.deepEqual(scopeOf("127.0.0.1:8080"), { service: "sts", region: "us-east-1" });
});

/** The key of RFC 7515, appendix A.2. */
const RFC7515: JsonWebKey = {
  kty: "RSA",
  n: "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRP" +
    "EwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qC" +
    "o5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
  e: "AQAB",
  d: "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_GO-pWJ1O0BkTGoVEn" +
    "2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juU" +
    "O1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ",
  p: "4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t7yLc" +
    "1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc",
  q: "uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_HlB-TnBA-njbglfI" +
    "sRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc",
  dp:
    "BwKfV3Akq5_MFZDFZCnW-wzl-CCo83WoZvnLQwCTeDv8uzluRSnm71I3QCLdhrqE2e9YkxvuxdBfpT_PI7Yz-FOKnu1R6HsJeDCjn12Sk3vmAktV2zb34MCdy7cp" +
    "dTh_YVr7tss2u6vneTwrA86rZtu5Mbr1C1XsmvkxHQAdYo0",
  dq:
    "h_96-mK1R_7glhsum81dZxjTnYynPbZpHziZjeeHcXYsXaaMwkOlODsWa7I9xXDoRwbKgB719rrmI2oKr6N3Do9U0ajaHF-NKJnwgjMd2w9cjz3_-kyNlxAr2v4I" +
    "KhGNpmM5iIgOS1VZnOZ68m6_pbLBSp3nssTdlqvd0tIiTHU",
  qi:
    "IYd7DHOhrWvxkwPQsRM2tOgrjbcrfvtQJipd-DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd_QJQ3ydy5cY7YIBi87w93IKLEdfnbJtoOPLUW0ITrJReO" +
    "go1cq9SbsxYawBgfp_gh6A5603k2-ZQwVK0JKSHuLFkuQ3U",
};
const RS256 = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
const decoded = (text: string) =>
  Uint8Array.from(
    atob(text.replaceAll("-", "+").replaceAll("_", "/")),
    (it) => it.charCodeAt(0),
  );

Deno.test("a JSON Web Signature is RFC 7515's, appendix A.2", async () => {
  const key = await crypto.subtle.importKey("jwk", RFC7515, RS256, false, ["sign"]);
  const payload = '{"iss":"joe",\r\n "exp":1300819380,\r\n "http://example.com/is_root":true}';
  assert.equal(
    await signed('{"alg":"RS256"}', payload, key),
    "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ." +
      "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQ" +
      "jbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqt" +
      "FZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
  );
});

Deno.test("a service account's assertion: whom it is for, its end, and a signature that its key made", async () => {
  const key = await crypto.subtle.importKey("jwk", RFC7515, RS256, true, ["sign"]);
  const der = new Uint8Array(await crypto.subtle.exportKey("pkcs8", key));
  const lines = btoa(String.fromCharCode(...der)).match(/.{1,64}/g)?.join("\n");
  const pem = `-----BEGIN PRIVATE KEY-----\n${lines}\n-----END PRIVATE KEY-----\n`;
  const verifier = await crypto.subtle.importKey(
    "jwk",
    { kty: "RSA", n: RFC7515.n, e: RFC7515.e },
    RS256,
    false,
    ["verify"],
  );
  const audience = "https://oauth2.googleapis.com/token";
  // As the file has it once parsed, and as a variable or a form has it.
  for (const privateKey of [pem, pem.replaceAll("\n", "\\n")]) {
    const account = { clientEmail: "a@p.iam.gserviceaccount.com", privateKey, privateKeyId: "k1" };
    const [header = "", claims = "", signature = ""] =
      (await assertion(account, audience, NOW))?.split(".") ?? [];
    const text = (part: string) => JSON.parse(new TextDecoder().decode(decoded(part)));
    assert.deepEqual(text(header), { alg: "RS256", typ: "JWT", kid: "k1" });
    const iat = NOW.getTime() / 1000;
    assert.deepEqual(text(claims), {
      iss: account.clientEmail,
      scope: "https://www.googleapis.com/auth/cloud-platform",
      aud: audience,
      iat,
      exp: iat + 300,
    });
    const bytes = new TextEncoder().encode(`${header}.${claims}`);
    assert(await crypto.subtle.verify(RS256.name, verifier, decoded(signature), bytes));
  }
  for (const privateKey of ["", "-----BEGIN PRIVATE KEY-----\nnone\n-----END PRIVATE KEY-----", "hunter2"]) {
    assert.equal(await assertion({ clientEmail: "a", privateKey }, audience, NOW), null);
  }
});

Deno.test("a private key that would take minutes to sign with is not even read", async () => {
  let times = 0;
  const { importKey } = crypto.subtle;
  crypto.subtle.importKey = new Proxy(importKey, {
    apply(target, subtle, args) {
      times++;
      return Reflect.apply(target, subtle, args);
    },
  });
  try {
    for (const [bytes, isRead] of [[4096, true], [4097, false], [48_000, false]] as const) {
      times = 0;
      const base64 = btoa("0".repeat(bytes));
      const privateKey = `-----BEGIN PRIVATE KEY-----\n${base64}\n-----END PRIVATE KEY-----\n`;
      assert.equal(await assertion({ clientEmail: "a", privateKey }, "https://a.example", NOW), null);
      assert.equal(times > 0, isRead, `${bytes} bytes`);
    }
  } finally {
    crypto.subtle.importKey = importKey;
  }
});
