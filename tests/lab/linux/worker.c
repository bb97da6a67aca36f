/* worker.c: known workloads for a Linux guest of the lab
 *
 *   worker MACHINE WORKLOAD...     each WORKLOAD is KIND or KIND:NUMBER
 *
 * Each becomes a process named MACHINE_KIND that holds a marker string in its
 * memory, "LABXEN-MARKER:MACHINE_KIND:PID", for tests that read a sleeping
 * process. Kinds: calc (never sleeps), io (NUMBER short sleeps a second, with a
 * write each), threads (NUMBER named threads that take turns), fork (NUMBER
 * children a second, each logged on the console), proc (NUMBER times a second the ids
 * of all threads that /proc shows, on the console), version (NUMBER times a second
 * "cat /sys/hypervisor/version/major"), sleep (waits for ever).
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum {
	THREADS_MAX = 8,
	CHILDREN_MAX = 8
};

char marker[64] __attribute__((aligned(16)));
volatile unsigned long counter;

static void pause_ns(long ns)
{
	struct timespec time = { ns / 1000000000, ns % 1000000000 };
	nanosleep(&time, NULL);
}

static void compute(unsigned long rounds)
{
	for (unsigned long i = 0; i < rounds; i++)
		counter = counter * 2862933555777941757ul + 3037000493ul;
}

static void run_calc(void)
{
	for (;;)
		compute(100000);
}

static void run_io(long per_second)
{
	int null = open("/dev/null", O_WRONLY);
	for (;;) {
		compute(2000);
		if (write(null, marker, sizeof marker) < 0)
			_exit(1);
		pause_ns(1000000000 / per_second);
	}
}

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

static void *run_thread(void *data)
{
	char name[16];
	snprintf(name, sizeof name, "thread%d", (int)(long)data);
	prctl(PR_SET_NAME, name);
	for (;;) {
		pthread_mutex_lock(&turn);
		compute(5000);
		pthread_mutex_unlock(&turn);
		pause_ns(2000000);
	}
	return NULL;
}

static void run_threads(long count)
{
	for (long i = 0; i < count && i < THREADS_MAX; i++) {
		pthread_t thread;
		if (pthread_create(&thread, NULL, run_thread, (void *)i) != 0)
			_exit(1);
	}
	for (;;)
		pause();
}

static void run_fork(long per_second, const char *name)
{
	for (unsigned number = 0;; number++) {
		pid_t child = fork();
		if (child == 0) {
			prctl(PR_SET_NAME, "child");
			snprintf(marker, sizeof marker, "LABXEN-MARKER:child:%d", getpid());
			compute(20000);
			_exit(0);
		}
		struct timespec now;
		clock_gettime(CLOCK_MONOTONIC, &now);
		printf("fork %s %d -> %d number %u at %ld.%09ld\n", name, getpid(), child, number,
		       (long)now.tv_sec, now.tv_nsec);
		fflush(stdout);
		waitpid(child, NULL, 0);
		printf("exit %s %d\n", name, child);
		fflush(stdout);
		pause_ns(1000000000 / per_second);
	}
}

static void say_churn(const char *name, unsigned number, pid_t pid, const char *what)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	printf("churn %s %u pid %d %s %lld\n", name, number, pid, what,
	       now.tv_sec * 1000000000ll + now.tv_nsec);
	fflush(stdout);
}

/* A small maximum makes the kernel give numbers again soon: those below 300 once only. */
static void limit_pids(void)
{
	int file = open("/proc/sys/kernel/pid_max", O_WRONLY);
	pid_t child = 0;
	if (file < 0 || write(file, "312", 3) != 3)
		_exit(1);
	close(file);
	while (child < 300) {
		child = fork();
		if (child == 0)
			_exit(0);
		waitpid(child, NULL, 0);
	}
}

static pid_t start_child(const char *name, unsigned number)
{
	struct timespec before;
	clock_gettime(CLOCK_MONOTONIC, &before);
	pid_t child = fork();
	if (child == 0) {
		char own[16];
		snprintf(own, sizeof own, "churn%u", number);
		prctl(PR_SET_NAME, own);
		for (int i = 0; i < 6; i++) {
			compute(20000);
			pause_ns(1500000);
		}
		_exit(0);
	}
	printf("churn %s %u pid %d born %lld\n", name, number, child,
	       before.tv_sec * 1000000000ll + before.tv_nsec);
	fflush(stdout);
	return child;
}

/* Keeps `count` children, each with a name of its own and a short life. */
static void run_churn(long count, const char *name)
{
	pid_t children[CHILDREN_MAX] = { 0 };
	unsigned numbers[CHILDREN_MAX] = { 0 }, number = 0;
	limit_pids();
	for (;;) {
		for (long i = 0; i < count && i < CHILDREN_MAX; i++) {
			if (children[i] != 0)
				continue;
			numbers[i] = number++;
			children[i] = start_child(name, numbers[i]);
		}
		pid_t gone = waitpid(-1, NULL, 0);
		for (long i = 0; i < count && i < CHILDREN_MAX; i++) {
			if (children[i] != gone)
				continue;
			say_churn(name, numbers[i], gone, "died");
			children[i] = 0;
		}
	}
}

/* "proc MACHINE LISTING: tid tid ..." in lines that no console cuts. */
static void print_threads(const char *machine, unsigned listing)
{
	char path[64], line[128];
	int length = 0;
	DIR *processes = opendir("/proc");
	for (struct dirent *process; processes && (process = readdir(processes));) {
		snprintf(path, sizeof path, "/proc/%.10s/task", process->d_name);
		DIR *threads = isdigit(process->d_name[0]) ? opendir(path) : NULL;
		for (struct dirent *thread; threads && (thread = readdir(threads));) {
			if (!isdigit(thread->d_name[0]))
				continue;
			if (length == 0)
				length = snprintf(line, sizeof line, "proc %s %u:", machine,
				                  listing);
			length += snprintf(line + length, sizeof line - (size_t)length, " %.10s",
			                   thread->d_name);
			if (length > 60) {
				puts(line);
				length = 0;
			}
		}
		if (threads)
			closedir(threads);
	}
	if (length > 0)
		puts(line);
	if (processes)
		closedir(processes);
}

/* Its own memory map, each line after "maps MACHINE: ". */
static void print_maps(const char *machine)
{
	char line[256];
	FILE *maps = fopen("/proc/self/maps", "r");
	while (maps && fgets(line, sizeof line, maps))
		printf("maps %s: %s", machine, line);
	if (maps)
		fclose(maps);
	fflush(stdout);
}

/* What is between "begin" and "end" on the console was so at that time. */
static void run_proc(long per_second, const char *machine)
{
	for (unsigned listing = 0;; listing++) {
		printf("proc %s %u begin\n", machine, listing);
		fflush(stdout);
		tcdrain(1);
		print_threads(machine, listing);
		printf("proc %s %u end\n", machine, listing);
		fflush(stdout);
		/* The second time, when no memory is asked for any more. */
		if (listing == 1)
			print_maps(machine);
		tcdrain(1);
		pause_ns(1000000000 / per_second);
	}
}

static void run_version(long per_second, const char *name)
{
	mkdir("/sys", 0755);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	for (unsigned number = 0;; number++) {
		pid_t child = fork();
		if (child == 0) {
			if (dup2(open("/dev/null", O_WRONLY), 1) == 1)
				execl("/bin/busybox", "cat", "/sys/hypervisor/version/major", NULL);
			_exit(1);
		}
		printf("fork %s %d -> %d number %u\n", name, getpid(), child, number);
		fflush(stdout);
		waitpid(child, NULL, 0);
		pause_ns(1000000000 / per_second);
	}
}

static void run(const char *machine, const char *workload)
{
	char kind[16];
	size_t length = strcspn(workload, ":");
	snprintf(kind, sizeof kind, "%.*s", (int)length, workload);
	long number = workload[length] ? atol(workload + length + 1) : 1;
	if (number < 1)
		number = 1;
	char name[16];
	snprintf(name, sizeof name, "%.7s_%.7s", machine, kind);
	prctl(PR_SET_NAME, name);
	snprintf(marker, sizeof marker, "LABXEN-MARKER:%s:%d", name, getpid());
	if (strcmp(kind, "calc") == 0)
		run_calc();
	else if (strcmp(kind, "io") == 0)
		run_io(number);
	else if (strcmp(kind, "threads") == 0)
		run_threads(number);
	else if (strcmp(kind, "fork") == 0)
		run_fork(number, name);
	else if (strcmp(kind, "churn") == 0)
		run_churn(number, name);
	else if (strcmp(kind, "proc") == 0)
		run_proc(number, machine);
	else if (strcmp(kind, "version") == 0)
		run_version(number, name);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	for (int i = 2; i < argc; i++) {
		pid_t pid = fork();
		if (pid == 0)
			run(argv[1], argv[i]);
		printf("task %s %s pid %d\n", argv[1], argv[i], pid);
	}
	fflush(stdout);
	return 0;
}
