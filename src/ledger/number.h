/*-------------------------------------------------------------------------
 * number.h
 *		Numbers from the ledger's sequences.
 *-------------------------------------------------------------------------
 */
#ifndef AT_NUMBER_H
#define AT_NUMBER_H

/*
 * The next number of a sequence in the schema audit. It is used up even if
 * the transaction is rolled back, and never drawn again, not even after a
 * crash. Raises ERRCODE_AT_NO_LEDGER without a ledger.
 */
extern int64 at_number_draw(const char *sequence);

#endif
