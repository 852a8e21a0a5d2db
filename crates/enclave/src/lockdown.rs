//! What a vault process gives up before it serves: to be dumped or traced, its user, files, the
//! network, and every call of the kernel that its work does not need.

use std::collections::BTreeMap;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, Ruleset, RulesetAttr as _, RulesetCreated, Scope,
};
use rustix::process::{DumpableBehavior, Resource, Rlimit, geteuid, setrlimit};
use rustix::process::{Gid, Uid};
use rustix::thread;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

/// Not dumpable: nobody else's memory access, no core file.
pub(crate) fn undumpable() -> Result<(), String> {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Core, none).map_err(told("no core limit"))?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(told("stays dumpable"))
}

/// Started as root, it becomes a user whom nothing belongs to.
pub(crate) fn leave_root(user: u32) -> Result<(), String> {
    if geteuid().is_root() {
        let (user, group) = (Uid::from_raw(user), Gid::from_raw(user));
        thread::set_thread_groups(&[]).map_err(told("keeps root's groups"))?;
        thread::set_thread_res_gid(group, group, group).map_err(told("keeps root's group"))?;
        thread::set_thread_res_uid(user, user, user).map_err(told("stays root"))?;
    }
    thread::set_no_new_privs(true).map_err(told("may gain privileges"))?;
    // a change of user may have made it dumpable again
    undumpable()
}

/// No file, no port, no signal or abstract socket beyond this process. As far as this kernel knows
/// Landlock; the filter of calls does not depend on it.
pub(crate) fn leave_files() -> Result<(), String> {
    let abi = ABI::V6;
    let ruleset = Ruleset::default().handle_access(AccessFs::from_all(abi));
    let ruleset = ruleset.and_then(|rules| rules.handle_access(AccessNet::from_all(abi)));
    let ruleset = ruleset.and_then(|rules| rules.scope(Scope::from_all(abi)));
    let applied = ruleset.and_then(Ruleset::create).and_then(RulesetCreated::restrict_self);
    applied.map(drop).map_err(told("landlock"))
}

/// Every thread: only [`CALLS`], and no memory that can be executed. Anything else kills the process.
pub(crate) fn leave_calls() -> Result<(), String> {
    let told = |error: seccompiler::BackendError| format!("seccomp: {error}");
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        CALLS.iter().map(|call| (*call, Vec::new())).collect();
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        let exec = libc::PROT_EXEC.unsigned_abs().into();
        let never =
            SeccompCondition::new(2, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(exec), 0);
        rules.insert(call, vec![SeccompRule::new(vec![never.map_err(told)?]).map_err(told)?]);
    }
    let arch = std::env::consts::ARCH.try_into().map_err(told)?;
    let filter = SeccompFilter::new(rules, SeccompAction::KillProcess, SeccompAction::Allow, arch);
    let program: BpfProgram = filter.and_then(BpfProgram::try_from).map_err(told)?;
    seccompiler::apply_filter_all_threads(&program).map_err(|error| format!("seccomp: {error}"))
}

fn told<E: std::fmt::Display>(what: &str) -> impl Fn(E) -> String + '_ {
    move |error| format!("{what}: {error}")
}

/// Talk through open pipes, memory, locks, chance, end.
const CALLS: [i64; 21] = [
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_futex,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_sched_yield,
    // malloc asks how many arenas are worth while
    libc::SYS_sched_getaffinity,
    libc::SYS_sigaltstack,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_restart_syscall,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_exit,
    libc::SYS_exit_group,
];
