/* A root in a temporary directory: what is there before, what others do meanwhile, and what is there after. */
#include "os/resolver/etc.h"
#include "testlib/check.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define OURS "# resolv.conf(5), written by Warren (warrend). x\nnameserver 100.100.100.100\n"
#define BASE "# base file\nnameserver 10.53.9.1\n"

static char root[64];
static struct etc etc;

static const char *at(const char *path)
{
	static char out[256];

	snprintf(out, sizeof(out), "%s%s", root, path);
	return out;
}

static void put_file(const char *path, const char *text)
{
	FILE *f = fopen(at(path), "w");

	CHECK_TRUE(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

/* "-": missing. */
static const char *text_of(const char *path)
{
	static char out[4][512];
	static unsigned turn;
	char *to = out[turn++ % 4];
	FILE *f = fopen(at(path), "r");

	if (!f)
		return "-";
	to[fread(to, 1, 511, f)] = 0;
	fclose(f);
	return to;
}

static int ours_in(void)
{
	return etc_put(&etc, view_of(OURS, sizeof(OURS) - 1));
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	return remove(path);
}

static int set_up(void **state)
{
	strcpy(root, "/tmp/warren-etc-XXXXXX");
	CHECK_TRUE(mkdtemp(root) && mkdir(at("/etc"), 0755) == 0 && mkdir(at("/run"), 0755) == 0);
	CHECK_INT(etc_init(&etc, root), ==, 0);
	return 0;
}

static int tear_down(void **state)
{
	return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Only resolv.conf is left in /etc, nothing below /run. */
static void check_clean(void)
{
	CHECK_STR(text_of(ETC_BACKUP), "-");
	CHECK_STR(text_of(ETC_SPARE_BACKUP), "-");
	CHECK_STR(text_of(ETC_FILE ".warren-new"), "-");
}

static void the_very_file_comes_back(void **state)
{
	struct stat before, during, after;

	put_file(ETC_FILE, BASE);
	CHECK_INT(chmod(at(ETC_FILE), 0640), ==, 0);
	CHECK_INT(stat(at(ETC_FILE), &before), ==, 0);
	CHECK_INT(ours_in(), ==, 0);
	CHECK_INT(stat(at(ETC_FILE), &during), ==, 0);
	CHECK_INT(during.st_mode, ==, before.st_mode);
	CHECK_STR(text_of(ETC_FILE), OURS);
	CHECK_STR(text_of(ETC_BACKUP), BASE);
	CHECK_INT(ours_in(), ==, 0); /* a second text of ours is no backup */
	CHECK_STR(text_of(ETC_BACKUP), BASE);
	CHECK_INT(etc_undo(&etc), ==, 0);
	CHECK_INT(stat(at(ETC_FILE), &after), ==, 0);
	CHECK_STR(text_of(ETC_FILE), BASE);
	CHECK_TRUE(after.st_ino == before.st_ino && after.st_mode == before.st_mode &&
		   after.st_nlink == 1 && after.st_mtim.tv_nsec == before.st_mtim.tv_nsec);
	check_clean();
	CHECK_INT(etc_undo(&etc), ==, 0);
	CHECK_STR(text_of(ETC_FILE), BASE);
}

static void a_link_comes_back_as_a_link(void **state)
{
	char target[64] = "";

	put_file("/run/theirs", BASE);
	CHECK_INT(symlink("../run/theirs", at(ETC_FILE)), ==, 0);
	CHECK_INT(ours_in(), ==, 0);
	CHECK_STR(text_of(ETC_FILE), OURS);
	CHECK_STR(text_of("/run/theirs"), BASE); /* somebody else's file */
	CHECK_STR(text_of(ETC_BACKUP), BASE);    /* read through the link */
	CHECK_INT(etc_undo(&etc), ==, 0);
	CHECK_INT(readlink(at(ETC_FILE), target, sizeof(target) - 1), ==, 13);
	CHECK_STR(target, "../run/theirs");
	check_clean();

	/* It leads nowhere: nothing to read, and the same link afterwards. */
	CHECK_INT(unlink(at("/run/theirs")), ==, 0);
	CHECK_INT(ours_in(), ==, 0);
	CHECK_STR(text_of(ETC_FILE), OURS);
	CHECK_INT(etc_undo(&etc), ==, 0);
	CHECK_INT(readlink(at(ETC_FILE), target, sizeof(target) - 1), ==, 13);
	check_clean();
}

static void no_file_before_is_no_file_after(void **state)
{
	CHECK_INT(ours_in(), ==, 0);
	CHECK_STR(text_of(ETC_FILE), OURS);
	CHECK_STR(text_of(ETC_BACKUP), "-");
	CHECK_INT(etc_undo(&etc), ==, 0);
	CHECK_STR(text_of(ETC_FILE), "-");
	check_clean();
}

/* What is there at the next start or at the end, and what undo makes of it. */
static void what_others_did_meanwhile_counts(void **state)
{
	static const struct {
		const char *meanwhile, *after; /* NULL: removed */
	} row[] = {
		{ "nameserver 192.0.2.1\n", "nameserver 192.0.2.1\n" },
		{ OURS "options edns0\n", BASE }, /* ours, with a line more */
		{ "", BASE },                     /* a loss of power */
		{ NULL, "-" },
	};

	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		CHECK_ROW("row %zu", i);
		put_file(ETC_FILE, BASE);
		CHECK_INT(ours_in(), ==, 0);
		if (row[i].meanwhile)
			put_file(ETC_FILE, row[i].meanwhile);
		else
			CHECK_INT(unlink(at(ETC_FILE)), ==, 0);
		CHECK_INT(etc_undo(&etc), ==, 0);
		CHECK_STR(text_of(ETC_FILE), row[i].after);
		check_clean();
	}
}

static void another_owners_file_is_the_next_backup(void **state)
{
	put_file(ETC_FILE, BASE);
	CHECK_INT(ours_in(), ==, 0);
	put_file(ETC_FILE, "nameserver 192.0.2.1\n");
	CHECK_INT(ours_in(), ==, 0);
	CHECK_STR(text_of(ETC_FILE), OURS);
	CHECK_STR(text_of(ETC_BACKUP), "nameserver 192.0.2.1\n");
	/* Removed or emptied by somebody: what was before stays known. */
	CHECK_INT(unlink(at(ETC_FILE)), ==, 0);
	CHECK_INT(ours_in(), ==, 0);
	CHECK_STR(text_of(ETC_BACKUP), "nameserver 192.0.2.1\n");
	CHECK_INT(etc_undo(&etc), ==, 0);
	CHECK_STR(text_of(ETC_FILE), "nameserver 192.0.2.1\n");
	check_clean();
}

/* ---- where no rename is possible: in a mount namespace of its own ---- */

static int in_child(void (*fn)(void))
{
	pid_t pid = fork();
	int status = -1;

	if (pid == 0) {
		if (unshare(CLONE_NEWNS) < 0 || mount("", "/", "", MS_REC | MS_PRIVATE, NULL) < 0)
			_exit(77);
		fn();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void check_child(void (*fn)(void))
{
	int rc = in_child(fn);

	if (rc == 77) {
		print_message("# skipped: mounting needs root\n");
		skip();
	}
	CHECK_INT(rc, ==, 0);
}

static void mounted_file(void)
{
	struct stat before, after;

	put_file(ETC_FILE, "");
	put_file("/run/outside", BASE);
	CHECK_INT(chmod(at("/run/outside"), 0640), ==, 0);
	CHECK_INT(stat(at("/run/outside"), &before), ==, 0);
	{
		char from[256];

		snprintf(from, sizeof(from), "%s", at("/run/outside"));
		CHECK_INT(mount(from, at(ETC_FILE), NULL, MS_BIND, NULL), ==, 0);
	}
	CHECK_INT(ours_in(), ==, 0);
	CHECK_STR(text_of("/run/outside"), OURS);
	CHECK_STR(text_of(ETC_BACKUP), BASE);
	CHECK_INT(etc_undo(&etc), ==, 0);
	CHECK_STR(text_of("/run/outside"), BASE);
	CHECK_INT(stat(at("/run/outside"), &after), ==, 0);
	CHECK_TRUE(after.st_ino == before.st_ino && after.st_mode == before.st_mode);
	check_clean();
	CHECK_INT(umount(at(ETC_FILE)), ==, 0);
}

static void a_mount_on_the_file_is_written_through(void **state)
{
	check_child(mounted_file);
}

static void make_read_only(void)
{
	char etc_dir[256];

	snprintf(etc_dir, sizeof(etc_dir), "%s", at("/etc"));
	CHECK_INT(mount(etc_dir, etc_dir, NULL, MS_BIND, NULL), ==, 0);
	CHECK_INT(mount(NULL, etc_dir, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), ==, 0);
}

static void read_only_etc(void)
{
	put_file(ETC_FILE, BASE);
	make_read_only();
	CHECK_INT(ours_in(), ==, -EROFS);
	CHECK_STR(text_of(ETC_FILE), BASE);
	check_clean();
	CHECK_INT(etc_undo(&etc), ==, 0);
	CHECK_INT(umount2(at("/etc"), MNT_DETACH), ==, 0);
}

static void link_out_of_read_only_etc(void)
{
	put_file("/run/resolv", BASE);
	CHECK_INT(symlink("../run/resolv", at(ETC_FILE)), ==, 0);
	make_read_only();
	CHECK_INT(ours_in(), ==, 0);
	CHECK_STR(text_of("/run/resolv"), OURS);
	CHECK_STR(text_of(ETC_SPARE_BACKUP), BASE);
	CHECK_INT(etc_undo(&etc), ==, 0);
	CHECK_STR(text_of("/run/resolv"), BASE);
	check_clean();
	CHECK_INT(umount2(at("/etc"), MNT_DETACH), ==, 0);
}

static void a_read_only_etc_is_an_error_and_stays(void **state)
{
	check_child(read_only_etc);
}

static void a_link_out_of_a_read_only_etc_is_written_through(void **state)
{
	check_child(link_out_of_read_only_etc);
}

/* ---- by a link ---- */

#define NETWORKMANAGERS "# Generated by NetworkManager\nnameserver 10.53.9."

static int our_link_in(void)
{
	return etc_put_link(&etc, view_of(OURS, sizeof(OURS) - 1));
}

static bool is_link(void)
{
	struct stat st;

	return lstat(at(ETC_FILE), &st) == 0 && S_ISLNK(st.st_mode);
}

static void the_file_of_before_comes_back_for_the_link(void **state)
{
	struct stat before, after;

	put_file(ETC_FILE, BASE);
	CHECK_TRUE(chmod(at(ETC_FILE), 0640) == 0 && stat(at(ETC_FILE), &before) == 0);
	for (int i = 0; i < 2; i++) {
		CHECK_INT(our_link_in(), ==, 0);
		CHECK_TRUE(is_link());
		CHECK_STR(text_of(ETC_FILE), OURS);
		CHECK_STR(text_of(ETC_BACKUP), BASE);
	}
	CHECK_INT(stat(at(ETC_FILE), &after), ==, 0);
	CHECK_INT(after.st_mode, ==, before.st_mode);
	CHECK_INT(etc_undo(&etc), ==, 0);
	CHECK_INT(lstat(at(ETC_FILE), &after), ==, 0);
	CHECK_INT(after.st_ino, ==, before.st_ino);
	CHECK_STR(text_of(ETC_LINKED), "-");
	check_clean();
}

static void networkmanagers_newest_word_comes_back(void **state)
{
	CHECK_INT(mkdir(at("/run/NetworkManager"), 0755), ==, 0);
	put_file(ETC_FILE, NETWORKMANAGERS "1\n");
	put_file(ETC_NETWORKMANAGER, NETWORKMANAGERS "1\n");
	CHECK_INT(our_link_in(), ==, 0);
	put_file(ETC_NETWORKMANAGER, NETWORKMANAGERS "2\n");
	CHECK_INT(etc_undo(&etc), ==, 0);
	CHECK_TRUE(!is_link());
	CHECK_STR(text_of(ETC_FILE), NETWORKMANAGERS "2\n");
	check_clean();
	/* What was not its file does not become so. */
	put_file(ETC_FILE, BASE);
	CHECK_INT(our_link_in(), ==, 0);
	CHECK_INT(etc_undo(&etc), ==, 0);
	CHECK_STR(text_of(ETC_FILE), BASE);
}

static void what_is_written_through_the_link_is_kept(void **state)
{
	put_file(ETC_FILE, BASE);
	CHECK_INT(our_link_in(), ==, 0);
	put_file(ETC_FILE, "nameserver 192.0.2.1\n");
	CHECK_TRUE(is_link());
	CHECK_INT(our_link_in(), ==, 0);
	CHECK_STR(text_of(ETC_BACKUP), "nameserver 192.0.2.1\n");
	put_file(ETC_FILE, "nameserver 192.0.2.2\n");
	CHECK_INT(etc_undo(&etc), ==, 0);
	CHECK_TRUE(!is_link());
	CHECK_STR(text_of(ETC_FILE), "nameserver 192.0.2.2\n");
	CHECK_STR(text_of(ETC_LINKED), "-");
	check_clean();
}

static void a_link_that_leads_nowhere_is_undone(void **state)
{
	put_file(ETC_FILE, BASE);
	CHECK_INT(our_link_in(), ==, 0);
	CHECK_INT(unlink(at(ETC_LINKED)), ==, 0);
	CHECK_INT(our_link_in(), ==, 0);
	CHECK_STR(text_of(ETC_BACKUP), BASE);
	CHECK_INT(unlink(at(ETC_LINKED)), ==, 0);
	CHECK_INT(etc_undo(&etc), ==, 0);
	CHECK_STR(text_of(ETC_FILE), BASE);
	check_clean();
	/* And without a backup. */
	CHECK_INT(unlink(at(ETC_FILE)), ==, 0);
	CHECK_INT(symlink("resolv.conf.warren", at(ETC_FILE)), ==, 0);
	CHECK_INT(our_link_in(), ==, 0);
	CHECK_STR(text_of(ETC_FILE), OURS);
	CHECK_INT(etc_undo(&etc), ==, 0);
	CHECK_TRUE(!is_link());
	CHECK_STR(text_of(ETC_FILE), "-");
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_very_file_comes_back),
		T(a_link_comes_back_as_a_link),
		T(no_file_before_is_no_file_after),
		T(what_others_did_meanwhile_counts),
		T(another_owners_file_is_the_next_backup),
		T(a_mount_on_the_file_is_written_through),
		T(a_read_only_etc_is_an_error_and_stays),
		T(a_link_out_of_a_read_only_etc_is_written_through),
		T(the_file_of_before_comes_back_for_the_link),
		T(networkmanagers_newest_word_comes_back),
		T(what_is_written_through_the_link_is_kept),
		T(a_link_that_leads_nowhere_is_undone),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
