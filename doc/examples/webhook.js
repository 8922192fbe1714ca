// Receives the webhooks of audit_relay: those that it has signed, that are fresh, and each once.
// node webhook.js PORT SECRET_FILE ALERTS_FILE
//
// In front of it belongs what speaks TLS to the world: it listens on this machine alone.

const crypto = require('crypto');
const fs = require('fs');
const http = require('http');

const [port, secretFile, alertsFile] = process.argv.slice(2);
const secrets = fs.readFileSync(secretFile, 'utf8').split(/\r?\n/).filter(Boolean)
  .map((line) => (line.startsWith('whsec_') ? Buffer.from(line.slice(6), 'base64') : Buffer.from(line)));
const maxAge = 300; // seconds; clocks may differ by so much too
const maxBody = 1 << 20;

// Over the bytes that came, not over what was parsed of them; in constant time, so that nobody can
// find out a signature byte by byte.
function isSigned(id, timestamp, body, header) {
  return secrets.some((secret) => {
    const wanted = crypto.createHmac('sha256', secret).update(`${id}.${timestamp}.`).update(body).digest();

    return header.split(' ').filter((one) => one.startsWith('v1,')).some((one) => {
      const given = Buffer.from(one.slice(3), 'base64');

      return given.length === wanted.length && crypto.timingSafeEqual(given, wanted);
    });
  });
}

// Somebody may have kept a request that was signed, and send it again.
function isFresh(timestamp) {
  return /^\d{1,12}$/.test(timestamp) && Math.abs(Date.now() / 1000 - Number(timestamp)) <= maxAge;
}

// What was taken; in a program of yours a unique key of the table that takes the alerts.
const seen = new Set(fs.existsSync(alertsFile)
  ? fs.readFileSync(alertsFile, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line).id) : []);

// On disk before it is answered: what is answered does not come again.
function take(event) {
  const fd = fs.openSync(alertsFile, 'a');

  fs.writeSync(fd, JSON.stringify(event) + '\n');
  fs.fsyncSync(fd);
  fs.closeSync(fd);
  seen.add(event.id);
}

function judge(headers, body) {
  const id = headers['webhook-id'] || '';
  const timestamp = headers['webhook-timestamp'] || '';

  if (!isSigned(id, timestamp, body, headers['webhook-signature'] || '')) return 401;
  if (!isFresh(timestamp)) return 401; // audit_relay signs anew each time it tries
  if (!seen.has(id)) take(JSON.parse(body));
  return 204;
}

http.createServer((request, response) => {
  const parts = [];
  let length = 0;

  request.on('data', (part) => {
    length += part.length;
    if (length > maxBody) request.destroy();
    else parts.push(part);
  });
  request.on('end', () => {
    let status = 500; // is tried again

    try {
      status = request.method === 'POST' ? judge(request.headers, Buffer.concat(parts)) : 405;
    } catch (error) {
      console.error(error.message);
    }
    response.writeHead(status).end();
  });
}).listen(Number(port), '127.0.0.1');
