/*-------------------------------------------------------------------------
 * test_operation.c
 *		The kinds of events, and the categories that they belong to.
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "check.h"
#include "core/operation.h"

static void
test_kinds(void)
{
	const char *known = "IUDTBAMXRVESLPKH";
	bool whole = true;
	bool distinct = true;

	for (size_t i = 0; known[i] != '\0'; i++)
	{
		const AtOperation *operation = at_operation(known[i]);

		whole = whole && operation != NULL && operation->op == known[i] && operation->action[0] &&
				operation->category[0] && operation->of_row[0] && operation->of_table[0];
		for (size_t j = 0; operation != NULL && j < i; j++)
			distinct = distinct && at_operation(known[j]) != operation;
	}
	check(whole, "every kind has all of its words");
	check(distinct, "and its own");
	check(at_operation('?') == NULL && at_operation('\0') == NULL, "nobody knows others");
}

static void
test_categories(void)
{
	check(strcmp(at_operation_category('U', "orders"), "data") == 0, "a change of a row is data");
	check(strcmp(at_operation_category('U', "system"), "configuration") == 0,
		  "of the trail's own, configuration");
	check(strcmp(at_operation_category('A', "orders"), "schema") == 0, "a table is a schema");
	check(strcmp(at_operation_category('A', NULL), "schema") == 0, "without a context too");
	check(strcmp(at_operation_category('R', "system"), "security") == 0,
		  "what is refused is security in any context");
	check(strcmp(at_operation_category('?', "orders"), "data") == 0, "an unknown kind is data");
}

int
main(void)
{
	test_kinds();
	test_categories();
	return check_done();
}
