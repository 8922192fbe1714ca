/*-------------------------------------------------------------------------
 * number.h
 *		Numbers from the ledger's sequences.
 *-------------------------------------------------------------------------
 */
#ifndef AT_NUMBER_DRAW_H
#define AT_NUMBER_DRAW_H

/* A session draws so many numbers of alerts at once; the sequence ascends by as many. */
#define AT_NUMBER_BLOCK 64

/*
 * The next number of a sequence in the schema audit. It is used up even if
 * the transaction is rolled back, and never drawn again, not even after a
 * crash. Raises ERRCODE_AT_NO_LEDGER without a ledger.
 */
extern int64 at_number_draw(const char *sequence);

#endif
