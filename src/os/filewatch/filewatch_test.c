/* Each way in which others replace a file is told once, and what does not concern it is not. */
#include "os/filewatch/filewatch.h"
#include "testlib/check.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

struct play {
	struct loop *loop;
	struct loop_timer *begin, *end;
	void (*act)(void);
	int told;
};

static void put(const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	CHECK_TRUE(f != NULL);
	fputs(text, f);
	fclose(f);
}

static void rename_to(const char *from, const char *to)
{
	char a[256], b[256];

	snprintf(a, sizeof(a), "%s/%s", dir, from);
	snprintf(b, sizeof(b), "%s/%s", dir, to);
	CHECK_INT(rename(a, b), ==, 0);
}

static void link_to(const char *target, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	unlink(path);
	CHECK_INT(symlink(target, path), ==, 0);
}

static void make_dir(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	CHECK_TRUE(mkdir(path, 0755) == 0 || access(path, X_OK) == 0);
}

static void on_changed(void *ctx)
{
	struct play *p = ctx;

	p->told++;
	loop_timer_set(
		p->end, mono_add(loop_now(p->loop).mono, MSEC(700))); /* time for one too many */
}

static void on_begin(void *ctx)
{
	((struct play *)ctx)->act();
}

static void on_end(void *ctx)
{
	loop_stop(((struct play *)ctx)->loop);
}

/* How often a change of a or b was told. */
static int play(const char *a, const char *b, void (*act)(void))
{
	struct play p = { .act = act };
	struct filewatch *w;
	char path[2][256];

	snprintf(path[0], sizeof(path[0]), "%s/%s", dir, a);
	snprintf(path[1], sizeof(path[1]), "%s/%s", dir, b);
	CHECK_INT(loop_new(&p.loop), ==, 0);
	CHECK_INT(filewatch_new(
			  &w, p.loop, (const char *const[]){ path[0], path[1] }, 2, on_changed, &p),
		==, 0);
	CHECK_INT(loop_timer_new(p.loop, on_begin, &p, &p.begin), ==, 0);
	CHECK_INT(loop_timer_new(p.loop, on_end, &p, &p.end), ==, 0);
	loop_timer_set(p.begin, loop_now(p.loop).mono);
	loop_timer_set(p.end, mono_add(loop_now(p.loop).mono, SEC(3)));
	loop_run(p.loop);
	filewatch_free(w);
	loop_timer_free(p.begin);
	loop_timer_free(p.end);
	loop_free(p.loop);
	return p.told;
}

static void write_both(void)
{
	put("a", "second");
	put("b", "second");
}

static void rename_one(void)
{
	put("new", "third");
	rename_to("new", "a");
}

static void others(void)
{
	put("unrelated", "x");
	rename_to("unrelated", "unrelated2");
}

static void certbot(void)
{
	put("archive/c2", "two");
	link_to("../archive/c2", "live/c");
}

static void kubernetes(void)
{
	make_dir("..2");
	put("..2/t", "two!");
	link_to("..2", "..data_tmp");
	rename_to("..data_tmp", "..data");
}

static void deep(void)
{
	link_to("v2", "current.tmp");
	rename_to("current.tmp", "current");
}

static void appear(void)
{
	put("late", "x");
}

static void each_way_of_replacing_is_told_once(void **state)
{
	put("a", "one");
	put("b", "one");
	CHECK_INT(play("a", "b", write_both), ==, 1);
	CHECK_INT(play("a", "b", rename_one), ==, 1);
	CHECK_INT(play("a", "b", others), ==, 0);
	CHECK_INT(play("a", "late", appear), ==, 1);
}

static void a_swapped_link_is_a_change(void **state)
{
	make_dir("archive");
	make_dir("live");
	put("archive/c1", "one");
	link_to("../archive/c1", "live/c");
	CHECK_INT(play("live/c", "a", certbot), ==, 1);
	make_dir("..1");
	put("..1/t", "one");
	link_to("..1", "..data");
	link_to("..data/t", "t");
	CHECK_INT(play("t", "a", kubernetes), ==, 1);
	make_dir("v1");
	make_dir("v2");
	make_dir("v1/x");
	make_dir("v2/x");
	put("v1/x/c", "one");
	put("v2/x/c", "two");
	link_to("v1", "current");
	CHECK_INT(play("current/x/c", "a", deep), ==, 1);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	return remove(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_way_of_replacing_is_told_once),
		cmocka_unit_test(a_swapped_link_is_a_change),
	};
	int rc;

	snprintf(dir, sizeof(dir), "/tmp/filewatch-XXXXXX");
	if (!mkdtemp(dir))
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return rc;
}
