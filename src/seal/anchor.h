/*-------------------------------------------------------------------------
 * anchor.h
 *		Having checkpoints witnessed outside: audit_trail.anchor_command.
 *
 * The anchorer, a worker of its own, takes the newest signed checkpoint and
 * runs the command with it. What that prints is the receipt, or several, and
 * is kept in audit.anchor_receipt. The sealer never waits for it; neither
 * does a session.
 *
 * In the command, %p stands for a file with the checkpoint (a signed note),
 * %r for one with the request that C2SP tlog-witness calls add-checkpoint:
 * the size that was anchored last, a consistency proof from there, and the
 * checkpoint. A command that fails and prints nothing but "old N" is run
 * again at once with the proof from size N: so it answers a witness that is
 * elsewhere, and needs no access to the database.
 *
 * At least once: after a crash between the end of a command and the commit
 * of its receipt, the newest checkpoint is anchored again.
 *
 * An idle log gets an entry of kind "heartbeat" from time to time, by the
 * sealer, and so a new checkpoint: only that shows that nothing happened in
 * between. Anchoring an old checkpoint once more would not: anybody can.
 *-------------------------------------------------------------------------
 */
#ifndef AT_ANCHOR_H
#define AT_ANCHOR_H

/* Is a command named, and a key and a file for what it is to anchor? */
extern bool at_anchor_is_configured(void);

/* Register the pass. */
extern void at_anchor_init(void);

#endif
