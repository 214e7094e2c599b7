/*
 * hostinfo: what hostile members say of themselves, for tests of programs.
 *
 *	hostinfo SEED COUNT sane|any
 *
 * Standard output, a line each: members of a map request, with commas between. Bytes, not always text.
 */
#include "tests/hostinfo/hostinfo.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	struct rng_seeded rng;
	struct buf line;

	if (argc != 4) {
		fprintf(stderr, "usage: hostinfo SEED COUNT sane|any\n");
		return 2;
	}
	rng_seeded_init(&rng, strtoull(argv[1], NULL, 10));
	buf_init(&line, 1 << 24);
	for (long n = strtol(argv[2], NULL, 10); n > 0; n--) {
		if (hostile_hostinfo(&rng.rng, argv[3][0] == 's', &line) < 0 ||
			buf_append_str(&line, "\n") < 0)
			return 1;
		fwrite(buf_data(&line), 1, buf_len(&line), stdout);
		buf_clear(&line);
	}
	buf_fini(&line);
	return 0;
}
