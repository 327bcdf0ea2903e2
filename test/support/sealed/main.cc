// Runs a program under a seccomp filter: podweir-under-seccomp FILTER PROGRAM [ARGUMENT...]
// or makes one system call:                   podweir-under-seccomp FILTER --call NUMBER [ARGUMENT...]
// FILTER is a file of sock_filter instructions as the kernel takes them.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

int main(int count, char** arguments) {
  if (count < 3) return 2;
  FILE* file = fopen(arguments[1], "re");
  std::vector<sock_filter> filter(BPF_MAXINSNS);
  if (file) filter.resize(fread(filter.data(), sizeof(sock_filter), filter.size(), file));
  if (file) fclose(file);
  sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) {
    perror("seccomp");
    return 1;
  }
  if (!strcmp(arguments[2], "--call")) {
    long values[6] = {};
    for (int i = 0; i < 6 && i + 4 < count; i++) values[i] = atol(arguments[i + 4]);
    long answer =
        syscall(count > 3 ? atol(arguments[3]) : -1, values[0], values[1], values[2], values[3], values[4], values[5]);
    printf("errno %d\n", answer < 0 ? errno : 0);
    return 0;
  }
  execvp(arguments[2], arguments + 2);
  perror(arguments[2]);
  return 1;
}
