/* The state file, and the profiles in it. */
#include "daemon/state/profiles.h"
#include "os/file/file.h"
#include "testlib/check.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/warren-state-XXXXXX", path[64];
static struct rng_seeded rng;

static void write_text(const char *text)
{
	CHECK_INT(file_write(path, view_of(text, strlen(text)), 0600), ==, 0);
}

static char *read_text(void)
{
	static char text[8192];
	struct buf b;

	buf_init(&b, sizeof(text) - 1);
	CHECK_INT(file_read(path, &b), ==, 0);
	snprintf(text, sizeof(text), "%.*s", (int)buf_len(&b), (const char *)buf_data(&b));
	buf_fini(&b);
	return text;
}

static int setup(void **state)
{
	(void)state;
	unlink(path);
	rng_seeded_init(&rng, 7);
	return 0;
}

/* As the daemon does, without its thread. */
static int flush(struct state *s)
{
	struct buf b;
	int rc;

	buf_init_secret(&b, STATE_MAX);
	rc = state_text(s, &b);
	if (rc == 0)
		rc = file_write(path, buf_view(&b), 0600);
	buf_fini(&b);
	return rc == STATE_UNCHANGED ? 0 : rc;
}

static void set(struct state *s, const char *key, const char *value)
{
	CHECK_INT(state_set(s, key, view_of(value, strlen(value))), ==, 0);
}

static void values_survive_and_are_sorted(void **state)
{
	struct state *s;
	struct stat st;

	(void)state;
	CHECK_INT(state_open(&s, path), ==, 0);
	set(s, "b", "two");
	set(s, "a", "one");
	CHECK_INT(flush(s), ==, 0);
	state_close(s);
	CHECK_STR(read_text(), "{\n  \"a\": \"b25l\",\n  \"b\": \"dHdv\"\n}");
	CHECK_INT(stat(path, &st), ==, 0);
	CHECK_INT(st.st_mode & 07777, ==, 0600);
	CHECK_INT(state_open(&s, path), ==, 0);
	CHECK_TRUE(view_eq(state_get(s, "b"), VIEW_LIT("two")));
	CHECK_INT(state_get(s, "c").len, ==, 0);
	state_close(s);
}

static void an_unchanged_value_does_not_touch_the_file(void **state)
{
	struct state *s;

	(void)state;
	write_text("{\"a\":\"b25l\"}");
	CHECK_INT(state_open(&s, path), ==, 0);
	set(s, "a", "one");
	CHECK_INT(flush(s), ==, 0);
	CHECK_STR(read_text(), "{\"a\":\"b25l\"}");
	set(s, "a", "");
	CHECK_INT(flush(s), ==, 0);
	CHECK_STR(read_text(), "{}");
	state_close(s);
}

static void an_empty_or_missing_file_is_an_empty_state(void **state)
{
	struct state *s;

	(void)state;
	CHECK_INT(state_open(&s, path), ==, 0);
	state_close(s);
	write_text("");
	CHECK_INT(state_open(&s, path), ==, 0);
	CHECK_INT(state_get(s, "a").len, ==, 0);
	state_close(s);
}

static void damaged_files_are_refused(void **state)
{
	static const char *const damaged[] = { "{", "[]", "{\"a\":1}", "{\"a\":\"not base64!\"}",
		"{} x" };
	struct state *s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(damaged); i++) {
		CHECK_ROW("%s", damaged[i]);
		write_text(damaged[i]);
		CHECK_INT(state_open(&s, path), <, 0);
		CHECK_STR(read_text(), damaged[i]);
	}
}

/* A value as large as the file may be is read again; one that makes the file larger is refused, and the file stays. */
static void a_file_that_cannot_be_read_is_never_written(void **state)
{
	static uint8_t big[STATE_MAX];
	struct state *s;

	(void)state;
	CHECK_INT(state_open(&s, path), ==, 0);
	CHECK_INT(state_set(s, "a", view_of(big, STATE_MAX / 4 * 3 - 64)), ==, 0);
	CHECK_INT(flush(s), ==, 0);
	state_close(s);
	CHECK_INT(state_open(&s, path), ==, 0);
	CHECK_INT(state_get(s, "a").len, ==, STATE_MAX / 4 * 3 - 64);
	CHECK_INT(state_set(s, "a", view_of(big, STATE_MAX)), ==, 0);
	CHECK_INT(flush(s), ==, -ERR_TOO_BIG);
	state_close(s);
	CHECK_INT(state_open(&s, path), ==, 0);
	CHECK_INT(state_get(s, "a").len, ==, STATE_MAX / 4 * 3 - 64);
	set(s, "a", "");
	CHECK_INT(flush(s), ==, 0);
	state_close(s);
}

/* ---- Profiles ---- */

static struct profile_facts facts(struct ipn_prefs *p, struct ipn_persist *c,
	const struct node_identity *id, const uint8_t *nl)
{
	p->persist = c;
	return (struct profile_facts){ .prefs = p,
		.identity = id,
		.nl_key = nl,
		.domain = "test",
		.suffix = "tail.test",
		.now = 1000 };
}

static void login(struct state *s, char id[static PROFILE_ID_MAX], int64_t user, const char *node,
	const char *hub)
{
	struct ipn_persist c = { .user = { .id = user, .login_name = "ann" }, .node_id = node };
	uint8_t nl[KEY_NL_PRIVATE_LEN] = { 1, 2, 3 };
	struct node_identity k = { 0 };
	struct profile_facts f;
	struct ipn_prefs p;

	ipn_prefs_init(&p);
	p.control_url = hub;
	key_generate(&rng.rng, k.node.b);
	k.hub.b[0] = 9;
	f = facts(&p, &c, &k, nl);
	CHECK_INT(profile_save(s, &rng.rng, id, &f), ==, 0);
}

static void a_profile_is_kept_once_it_is_somebodys(void **state)
{
	char id[PROFILE_ID_MAX] = "";
	struct profile p;
	struct state *s;

	(void)state;
	CHECK_INT(state_open(&s, path), ==, 0);
	login(s, id, 1, "", "http://hub");
	CHECK_STR(id, ""); /* no node ID yet */
	login(s, id, 1, "n1", "http://hub");
	CHECK_INT(strlen(id), ==, 4);
	CHECK_INT(flush(s), ==, 0);
	state_close(s);

	CHECK_INT(state_open(&s, path), ==, 0);
	CHECK_INT(profile_load_current(s, &rng.rng, &p), ==, 0);
	CHECK_STR(p.id, id);
	CHECK_STR(p.prefs.control_url, "http://hub");
	CHECK_STR(p.prefs.persist->node_id, "n1");
	CHECK_TRUE(!key_is_zero(p.identity.node.b) && p.identity.hub.b[0] == 9 && p.nl_key[2] == 3);
	CHECK_TRUE(key_is_zero(p.prefs.persist->node_key.b)); /* keys have one place */
	profile_fini(&p);
	state_close(s);
}

static void machine_keys_are_made_once(void **state)
{
	struct node_identity a = { 0 }, b = { 0 };
	struct state *s;

	(void)state;
	CHECK_INT(state_open(&s, path), ==, 0);
	CHECK_INT(profile_machine_keys(s, &rng.rng, &a), ==, 0);
	CHECK_INT(profile_machine_keys(s, &rng.rng, &b), ==, 0);
	CHECK_TRUE(!key_is_zero(a.machine.b) && !key_is_zero(a.disco.b));
	CHECK_MEM(&a, &b, sizeof(a));
	set(s, "_machinekey", "privkey:nonsense");
	CHECK_INT(profile_machine_keys(s, &rng.rng, &b), ==, -ERR_BAD_FORMAT);
	state_close(s);
}

static size_t n_profiles(const struct state *s)
{
	struct json_list l;
	struct arena a;

	arena_init(&a, 1 << 20);
	CHECK_INT(profile_list(s, &a, &l), ==, 0);
	arena_fini(&a);
	return l.n;
}

static void the_same_account_is_the_same_profile(void **state)
{
	char first[PROFILE_ID_MAX] = "", again[PROFILE_ID_MAX] = "", other[PROFILE_ID_MAX] = "",
	     hub[PROFILE_ID_MAX] = "";
	struct profile p;
	struct state *s;

	(void)state;
	CHECK_INT(state_open(&s, path), ==, 0);
	login(s, first, 1, "n1", "http://hub");
	login(s, again, 1, "n1", "http://hub");
	login(s, other, 2, "n2", "http://hub");
	login(s, hub, 1, "n1", "http://other");
	CHECK_STR(first, again);
	CHECK_TRUE(strcmp(first, other) != 0 && strcmp(first, hub) != 0);
	CHECK_INT(n_profiles(s), ==, 3);
	CHECK_INT(profile_remove(s, hub), ==, 0); /* the current one */
	CHECK_INT(n_profiles(s), ==, 2);
	CHECK_INT(profile_load(s, &rng.rng, hub, &p), ==, -ENOENT);
	CHECK_INT(profile_load_current(s, &rng.rng, &p), ==, 0);
	CHECK_STR(p.id, "");
	CHECK_TRUE(p.prefs.logged_out);
	profile_fini(&p);
	state_close(s);
}

static void ids_that_are_none_name_no_file(void **state)
{
	static const char *const ids[] = { "", "../x", "a/b",
		"0123456789012345678901234567890123456789" };
	struct profile p;
	struct state *s;

	(void)state;
	CHECK_INT(state_open(&s, ""), ==, 0);
	for (size_t i = 0; i < ARRAY_LEN(ids); i++)
		CHECK_INT(profile_load(s, &rng.rng, ids[i], &p), ==, -ENOENT);
	CHECK_TRUE(!state_is_durable(s));
	state_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(values_survive_and_are_sorted, setup),
		cmocka_unit_test_setup(an_unchanged_value_does_not_touch_the_file, setup),
		cmocka_unit_test_setup(an_empty_or_missing_file_is_an_empty_state, setup),
		cmocka_unit_test_setup(damaged_files_are_refused, setup),
		cmocka_unit_test_setup(a_file_that_cannot_be_read_is_never_written, setup),
		cmocka_unit_test_setup(a_profile_is_kept_once_it_is_somebodys, setup),
		cmocka_unit_test_setup(machine_keys_are_made_once, setup),
		cmocka_unit_test_setup(the_same_account_is_the_same_profile, setup),
		cmocka_unit_test_setup(ids_that_are_none_name_no_file, setup),
	};
	int failed;

	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/state", dir);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	rmdir(dir);
	return failed;
}
