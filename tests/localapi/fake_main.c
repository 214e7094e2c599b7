/* lapi-fake SOCKET: the made-up daemon on a real socket, for tests of the API and of the command line. */
#include "os/loop/loop.h"
#include "tests/localapi/fake.h"

int main(int argc, char **argv)
{
	struct lapi *api = NULL;
	struct loop *loop = NULL;
	struct fake *f = NULL;
	int rc = argc == 2 ? 0 : -ERR_BAD_VALUE;

	if (rc == 0)
		rc = loop_new(&loop);
	if (rc == 0)
		rc = fake_new(&f, loop);
	if (rc == 0)
		rc = loop_on_turn_end(loop, fake_turn_end, f);
	if (rc == 0)
		rc = fake_serve(f, loop, WARREN_VERSION, &api);
	if (rc == 0)
		rc = lapi_listen(api, argv[1]);
	if (rc == 0)
		rc = loop_stop_on_signals(loop);
	if (rc < 0) {
		fprintf(stderr, "lapi-fake: %s\n", err_text(rc));
		return 1;
	}
	loop_run(loop);
	lapi_free(api);
	fake_free(f);
	loop_free(loop);
	return 0;
}
