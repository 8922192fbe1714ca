// A program that hears every alert of an audit_trail database: at least once, in order, wherever it
// or the server was stopped. npm install pg; then: node listen.js STATE_FILE [CHANNEL]
//
// Listen first, then catch up, then loop. In any other order there is a moment in which an alert is
// neither heard nor read. A notification only wakes: what there is is read from audit.alerts_since(),
// so a lost one, or one that somebody forges, changes nothing.

const fs = require('fs');
const { Client } = require('pg');

const [stateFile, channel = 'audit_alert'] = process.argv.slice(2);

// The last alert that was dealt with; "0" before the first one. Ids are bigint, so they stay strings.
function load() {
  return fs.existsSync(stateFile) ? fs.readFileSync(stateFile, 'utf8').trim() : '0';
}

// Whole or not at all, also if the power fails.
function save(alertId) {
  const fd = fs.openSync(stateFile + '.new', 'w');

  fs.writeSync(fd, alertId);
  fs.fsyncSync(fd);
  fs.closeSync(fd);
  fs.renameSync(stateFile + '.new', stateFile);
}

// Here is what you do about an alert. It may come twice, so make it something that can be done twice.
async function handle(alert) {
  console.log(JSON.stringify({ alert_id: alert.alert_id, rule: alert.rule, resource_id: alert.resource_id, changed: alert.changed }));
}

async function catchUp(client) {
  for (;;) {
    const last = load();
    const { rows } = await client.query(
      'SELECT * FROM audit.alerts_since(alert_id => $1, max_rows => 100, channel => $2)', [last, channel]);

    for (const alert of rows) {
      await handle(alert);
      save(alert.alert_id);
    }
    if (rows.length === 0) return;
  }
}

async function run() {
  const client = new Client({ keepAlive: true }); // PGHOST, PGUSER, ... say where
  let wake = () => {};
  let gone = false;

  client.on('notification', () => wake());
  client.on('error', () => { gone = true; wake(); });
  client.on('end', () => { gone = true; wake(); });
  await client.connect();
  try {
    await client.query('LISTEN ' + client.escapeIdentifier(channel));
    while (!gone) {
      const woken = new Promise((resolve) => {
        const timer = setTimeout(resolve, 30000); // in case a notification is lost on the way

        wake = () => { clearTimeout(timer); resolve(); };
      });

      await catchUp(client);
      if (!gone) await woken;
    }
  } finally {
    await client.end().catch(() => {});
  }
}

// The server may be restarted at any time: connect again, a little later each time.
(async () => {
  for (let pause = 200; ; pause = Math.min(pause * 2, 10000)) {
    try {
      await run();
      pause = 200;
    } catch (error) {
      console.error(error.message);
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
})();
