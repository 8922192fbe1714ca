/*-------------------------------------------------------------------------
 * replay.c
 *		Run a fuzz target once on each file given, without libFuzzer.
 *
 * A target that finds fault aborts, and so does the replay.
 *-------------------------------------------------------------------------
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

extern int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void replay(const char *path);

int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
	{
		replay(argv[i]);
		printf("ok %d - %s\n", i, argv[i]);
	}
	printf("1..%d\n", argc - 1);
	return EXIT_SUCCESS;
}

static void
replay(const char *path)
{
	static uint8_t data[1 << 20];
	FILE *file = fopen(path, "rb");

	if (file == NULL)
	{
		perror(path);
		exit(EXIT_FAILURE);
	}
	LLVMFuzzerTestOneInput(data, fread(data, 1, sizeof(data), file));
	fclose(file);
}
