/*
 * conformance DIR [ID]: runs the cases of all *.jsonl and *.jsonl.zst in DIR and prints the counts
 * by category. With an ID only that case, with every difference.
 */
#include "tests/conformance/harness.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

enum { CATEGORIES = 32, DIFFERS_MAX = 5, FAULTS_SHOWN = 4, FILE_MAX = 1 << 30 };

struct category {
	char name[64];
	size_t cases, failed, excused;
};

static struct category categories[CATEGORIES];
static size_t n_categories;
static struct {
	char id[128], reason[512];
} excuses[DIFFERS_MAX];
static size_t n_excuses;
static const char *only;

void differ(struct trial *t, const char *fmt, ...)
{
	va_list ap;

	t->faults++;
	if (t->quiet || (t->faults > FAULTS_SHOWN && !only))
		return;
	printf("#   %s: ", t->id);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}

const char *str_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

/* Every text in quotes of the service's message is in ours. */
static bool names_the_same(const char *want, const char *got)
{
	size_t found = 0;

	for (const char *p = strchr(want, '"'); p; p = strchr(p + 1, '"')) {
		const char *end = strchr(p + 1, '"');
		char word[256];

		if (!end || (size_t)(end - p) >= sizeof(word))
			return false;
		snprintf(word, sizeof(word), "%.*s", (int)(end - p - 1), p + 1);
		if (!strstr(got, word))
			return false;
		found++;
		p = end;
	}
	return found > 0;
}

static void judge_refusal(struct trial *t, const char *message)
{
	const char *want = str_of(t->doc, "message");
	long long status = json_integer_value(json_object_get(t->doc, "status"));

	/* An internal error of the service has no message worth anything. */
	if (status < 500 && !strstr(message, want) && !names_the_same(want, message))
		differ(t, "refused with \"%s\", want \"%s\"", message, want);
}

struct failures {
	struct trial *t;
	size_t n;
};

static void note_failure(void *ctx, const struct policy_failure *f)
{
	struct failures *fs = ctx;

	fs->n++;
	if (json_integer_value(json_object_get(fs->t->doc, "status")) == 200)
		differ(fs->t, "test of %s failed: %s", f->src, f->text);
}

/* Reads, compiles and tests the policy; 0, or what refused it, with the text. */
static int put_policy(struct trial *t, char *message, size_t len)
{
	const char *text = str_of(t->doc, "policy");
	struct err_at at = { 0 };
	struct policy_doc *d;
	struct failures fs = { .t = t };
	int rc = policy_doc_parse(&d, text, strlen(text), &at);

	if (rc == 0)
		rc = policy_plan_new(&t->plan, t->directory, d, POLICY_NEW, &at);
	snprintf(message, len, "%s", at.text);
	if (rc < 0)
		return rc;
	policy_install(t->directory, t->plan);
	rc = policy_test(t->plan, note_failure, &fs);
	if (rc == 1)
		snprintf(message, len, "test(s) failed");
	return rc;
}

static void prefer(struct trial *t, json_t *node)
{
	const char *name = name_of_host(t, str_of(json_object_get(node, "Hostinfo"), "Hostname"));
	json_t *route;
	size_t i;

	json_array_foreach(json_object_get(node, "PrimaryRoutes"), i, route)
	{
		const char *s = json_string_value(route);
		struct ipprefix p;

		if (name && ipprefix_parse(s, strlen(s), &p) == 0)
			policy_route_prefer(t->plan, p, id_of(t, name));
	}
}

/* Who is primary has a history that the recording does not tell, but its outcome: routers say it of
 * themselves. */
static void restore_primaries(struct trial *t)
{
	const char *name;
	json_t *capture;

	json_object_foreach(json_object_get(t->doc, "captures"), name, capture)
		prefer(t, json_object_get(json_object_get(capture, "netmap"), "SelfNode"));
}

/* Some topologies miss an approval that a netmap shows. */
static bool route_in_use(struct trial *t, const char *name, struct ipprefix p)
{
	struct policy_allowed a;
	struct arena mem;
	bool found = false;

	arena_init(&mem, 1 << 16);
	if (policy_self_allowed(t->plan, id_of(t, name), &mem, &a) == 0)
		for (size_t i = a.n_addresses; i < a.n; i++)
			found |= ipprefix_eq(a.v[i], p);
	arena_fini(&mem);
	return found;
}

static void check_approval(struct trial *t)
{
	const char *name;
	json_t *node, *route, *approved;
	size_t i, k;

	json_object_foreach(json_object_get(json_object_get(t->doc, "topology"), "nodes"), name,
		node) json_array_foreach(json_object_get(node, "routable_ips"), i, route)
	{
		const char *s = json_string_value(route);
		bool found = false;
		struct ipprefix p;

		if (ipprefix_parse(s, strlen(s), &p) < 0 ||
			!policy_route_auto_approved(t->plan, id_of(t, name), p))
			continue;
		json_array_foreach(json_object_get(node, "approved_routes"), k, approved) found |=
			strcmp(json_string_value(approved), s) == 0;
		if (!found && !route_in_use(t, name, p))
			differ(t, "%s: route %s would be approved", name, s);
	}
}

static void judge(struct trial *t)
{
	bool refused = json_integer_value(json_object_get(t->doc, "status")) != 200;
	char message[400] = "";
	json_t *capture;
	const char *node;
	int rc;

	if (!build_tailnet(t)) {
		differ(t, "the topology makes no sense");
		return;
	}
	rc = put_policy(t, message, sizeof(message));
	if (refused && rc == 0)
		differ(t, "accepted, want: %s", str_of(t->doc, "message"));
	else if (refused)
		judge_refusal(t, message);
	else if (rc != 0)
		differ(t, "refused: %s", message);
	if (refused || rc != 0)
		return;
	restore_primaries(t);
	check_approval(t);
	json_object_foreach(json_object_get(t->doc, "captures"), node, capture)
		compare_capture(t, node, capture);
}

static struct category *category_of(const char *name)
{
	for (size_t i = 0; i < n_categories; i++)
		if (strcmp(categories[i].name, name) == 0)
			return &categories[i];
	if (n_categories == CATEGORIES)
		return &categories[0];
	snprintf(categories[n_categories].name, sizeof(categories[0].name), "%s", name);
	return &categories[n_categories++];
}

static const char *excuse_of(const char *id)
{
	for (size_t i = 0; i < n_excuses; i++)
		if (strcmp(excuses[i].id, id) == 0)
			return excuses[i].reason;
	return NULL;
}

static void run_case(json_t *doc)
{
	struct trial t = { .doc = doc, .id = str_of(doc, "id") };
	struct category *c = category_of(str_of(doc, "category"));
	const char *excuse = excuse_of(t.id);

	if (only && strcmp(only, t.id) != 0)
		return;
	t.quiet = excuse != NULL && !only;
	c->cases++;
	judge(&t);
	policy_directory_free(t.directory);
	if (t.faults && excuse) {
		c->excused++;
		printf("# differs on purpose: %s: %s\n", t.id, excuse);
	} else if (t.faults) {
		c->failed++;
	}
}

static int run_text(const char *file, char *text, size_t len)
{
	json_error_t err;
	char *end = text + len, *line_end;

	for (char *line = text; line < end; line = line_end + 1) {
		json_t *doc;

		line_end = memchr(line, '\n', (size_t)(end - line));
		if (!line_end)
			line_end = end;
		if (line_end == line)
			continue;
		doc = json_loadb(line, (size_t)(line_end - line), JSON_ALLOW_NUL, &err);
		if (!doc) {
			printf("# %s: %s\n", file, err.text);
			return -EINVAL;
		}
		run_case(doc);
		json_decref(doc);
	}
	return 0;
}

static char *slurp(const char *path, size_t *ret_len)
{
	FILE *f = fopen(path, "rb");
	char *p = NULL;
	long n;

	if (f && fseek(f, 0, SEEK_END) == 0 && (n = ftell(f)) >= 0 && n < FILE_MAX &&
		fseek(f, 0, SEEK_SET) == 0) {
		p = malloc((size_t)n + 1);
		if (p && fread(p, 1, (size_t)n, f) != (size_t)n) {
			free(p);
			p = NULL;
		}
		*ret_len = (size_t)n;
	}
	if (f)
		fclose(f);
	return p;
}

/* The frames may not tell their size. */
static char *unpack(const char *in, size_t len, size_t *ret_len)
{
	ZSTD_DStream *d = ZSTD_createDStream();
	ZSTD_inBuffer src = { in, len, 0 };
	size_t cap = 1 << 20, n = 0;
	char *out = malloc(cap);

	while (d && out && src.pos < src.size) {
		ZSTD_outBuffer dst = { out, cap, n };
		size_t rc = ZSTD_decompressStream(d, &dst, &src);

		n = dst.pos;
		if (ZSTD_isError(rc)) {
			free(out);
			out = NULL;
			break;
		}
		if (n == cap) {
			char *more = cap < FILE_MAX ? realloc(out, cap * 2) : NULL;

			if (!more) {
				free(out);
				out = NULL;
				break;
			}
			out = more;
			cap *= 2;
		}
	}
	ZSTD_freeDStream(d);
	*ret_len = n;
	return out;
}

static bool ends_with(const char *s, const char *end)
{
	return strlen(s) > strlen(end) && strcmp(s + strlen(s) - strlen(end), end) == 0;
}

static int run_file(const char *dir, const char *name)
{
	char path[1024], *text;
	size_t len = 0;
	int rc;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	text = slurp(path, &len);
	if (text && ends_with(name, ".zst")) {
		char *plain = unpack(text, len, &len);

		free(text);
		text = plain;
	}
	if (!text) {
		printf("# %s cannot be read\n", path);
		return -EIO;
	}
	rc = run_text(name, text, len);
	free(text);
	return rc;
}

static void load_excuses(const char *dir)
{
	char path[1024], line[1024];
	FILE *f;

	snprintf(path, sizeof(path), "%s/differs.txt", dir);
	f = fopen(path, "r");
	while (f && n_excuses < DIFFERS_MAX && fgets(line, sizeof(line), f)) {
		if (*line == '#' || sscanf(line, "%127s %511[^\n]", excuses[n_excuses].id,
					    excuses[n_excuses].reason) != 2)
			continue;
		n_excuses++;
	}
	if (f)
		fclose(f);
}

static int is_case_file(const struct dirent *e)
{
	return ends_with(e->d_name, ".jsonl") || ends_with(e->d_name, ".jsonl.zst");
}

int main(int argc, char **argv)
{
	struct dirent **files;
	size_t failed = 0, cases = 0;
	int n, rc = 0;

	if (argc < 2) {
		fprintf(stderr, "usage: %s DIR [CASE]\n", argv[0]);
		return 2;
	}
	only = argc > 2 ? argv[2] : NULL;
	load_excuses(EXCUSES_DIR);
	if (strcmp(argv[1], EXCUSES_DIR) != 0)
		load_excuses(argv[1]);
	n = scandir(argv[1], &files, is_case_file, alphasort);
	for (int i = 0; i < n; i++) {
		if (run_file(argv[1], files[i]->d_name) < 0)
			rc = 1;
		free(files[i]);
	}
	if (n >= 0)
		free(files);
	printf("1..%zu\n", n_categories);
	for (size_t i = 0; i < n_categories; i++) {
		struct category *c = &categories[i];

		printf("%s %zu - %s: %zu of %zu cases agree%s\n", c->failed ? "not ok" : "ok",
			i + 1, c->name, c->cases - c->failed - c->excused, c->cases,
			c->excused ? ", the rest differs on purpose" : "");
		printf("# vectors: conformance %s: %zu of %zu cases agree\n", c->name,
			c->cases - c->failed - c->excused, c->cases);
		failed += c->failed;
		cases += c->cases;
	}
	if (cases == 0)
		printf("# no case was found in %s\n", argv[1]);
	return rc || failed || cases == 0;
}
