#include "server/worker/sandbox.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

namespace outboard::server {
namespace {

// A list of what is refused, not of what is allowed: drivers of other makers use what they like.
constexpr unsigned kRefused[] = {
    // New programs.
    SYS_execve, SYS_execveat,
    // Other processes.
    SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_kcmp, SYS_pidfd_getfd, SYS_process_madvise,
    // Other views of the system.
    SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_setns, SYS_unshare, SYS_open_tree, SYS_move_mount,
    SYS_fsopen, SYS_fsconfig, SYS_fsmount, SYS_open_by_handle_at, SYS_name_to_handle_at,
    // The kernel itself.
    SYS_bpf, SYS_perf_event_open, SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_kexec_load,
    SYS_kexec_file_load, SYS_reboot, SYS_swapon, SYS_swapoff, SYS_acct, SYS_quotactl, SYS_syslog,
    SYS_settimeofday, SYS_clock_settime, SYS_adjtimex, SYS_clock_adjtime, SYS_sethostname, SYS_setdomainname,
    SYS_iopl, SYS_ioperm,
    // Keys of the user.
    SYS_add_key, SYS_request_key, SYS_keyctl,
    // More rights.
    SYS_setuid, SYS_setgid, SYS_setreuid, SYS_setregid, SYS_setresuid, SYS_setresgid, SYS_setgroups,
    SYS_capset, SYS_personality};

sock_filter statement(uint16_t code, uint32_t value) { return {code, 0, 0, value}; }

sock_filter jump(uint16_t code, uint32_t value, uint8_t if_true, uint8_t if_false) {
  return {code, if_true, if_false, value};
}

std::vector<sock_filter> program() {
  constexpr uint32_t kEperm = SECCOMP_RET_ERRNO | EPERM;
  constexpr uint32_t kX32Bit = 0x4000'0000;
  std::vector<sock_filter> code;
  // Calls by another architecture's numbers would mean something else.
  code.push_back(statement(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)));
  code.push_back(jump(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0));
  code.push_back(statement(BPF_RET | BPF_K, kEperm));
  code.push_back(statement(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
  code.push_back(jump(BPF_JMP | BPF_JGE | BPF_K, kX32Bit, 0, 1));
  code.push_back(statement(BPF_RET | BPF_K, kEperm));
  for (const unsigned number : kRefused) {
    code.push_back(jump(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1));
    code.push_back(statement(BPF_RET | BPF_K, kEperm));
  }
  code.push_back(statement(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  return code;
}

}  // namespace

Status enter_sandbox() {
  std::vector<sock_filter> code = program();
  const sock_fprog filter{static_cast<unsigned short>(code.size()), code.data()};
  const bool entered =
      ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
      ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter) == 0;
  if (entered) return {};
  return fail(
      ErrorKind::kUnsupported,
      std::string("The kernel does not filter system calls for this process: ") + std::strerror(errno) + ".");
}

}  // namespace outboard::server
