;; The system interface of preview 1 with no system behind it. wit-component puts it between a module whose libc
;; wants one and the component's edge, where no import is left of it.
;;
;; There are no arguments, no environment, no files and no sockets. What is written is taken and dropped; the end of what goes to
;; descriptors 1 and 2 is handed on to the host, which shows it where the call traps (`standard_streams.wit`).
;; The clock starts at zero and moves on by one millisecond each time it is read, so that a wait for it ends. Chance
;; is one fixed sequence. Leaving and signals trap.
(module
  (type $errno-1 (func (param i32) (result i32)))
  (type $errno-2 (func (param i32 i32) (result i32)))
  (type $errno-3 (func (param i32 i32 i32) (result i32)))
  (type $errno-4 (func (param i32 i32 i32 i32) (result i32)))
  (type $errno-5 (func (param i32 i32 i32 i32 i32) (result i32)))
  (type $errno-6 (func (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "memory" (memory 0))
  (import "weir:adapter/standard-streams@0.1.0" "write" (func $host-write (param i32 i32 i32)))
  (global $now-ns (mut i64) (i64.const 0))
  (global $chance (mut i64) (i64.const 0x2545f4914f6cdd1d))

  ;; errno 8: badf. There is no such descriptor.
  (func $no-fd-1 (type $errno-1) (i32.const 8))
  (func $no-fd-2 (type $errno-2) (i32.const 8))
  (func $no-fd-3 (type $errno-3) (i32.const 8))
  (func $no-fd-4 (type $errno-4) (i32.const 8))
  (func $no-fd-5 (type $errno-5) (i32.const 8))
  (func $no-fd-6 (type $errno-6) (i32.const 8))

  ;; Two counts, both zero.
  (func $nothing-sizes (type $errno-2)
    (i32.store (local.get 0) (i32.const 0))
    (i32.store (local.get 1) (i32.const 0))
    (i32.const 0))
  (func $nothing (type $errno-2) (i32.const 0))
  (export "args_sizes_get" (func $nothing-sizes))
  (export "environ_sizes_get" (func $nothing-sizes))
  (export "args_get" (func $nothing))
  (export "environ_get" (func $nothing))

  (export "fd_close" (func $no-fd-1))
  (export "fd_datasync" (func $no-fd-1))
  (export "fd_sync" (func $no-fd-1))
  (export "fd_fdstat_get" (func $no-fd-2))
  (export "fd_fdstat_set_flags" (func $no-fd-2))
  (export "fd_filestat_get" (func $no-fd-2))
  (export "fd_prestat_get" (func $no-fd-2))
  (export "fd_renumber" (func $no-fd-2))
  (export "fd_tell" (func $no-fd-2))
  (export "sock_shutdown" (func $no-fd-2))
  (export "fd_prestat_dir_name" (func $no-fd-3))
  (export "path_create_directory" (func $no-fd-3))
  (export "path_remove_directory" (func $no-fd-3))
  (export "path_unlink_file" (func $no-fd-3))
  (export "sock_accept" (func $no-fd-3))
  (export "fd_read" (func $no-fd-4))
  (export "path_filestat_get" (func $no-fd-5))
  (export "path_symlink" (func $no-fd-5))
  (export "sock_send" (func $no-fd-5))
  (export "path_readlink" (func $no-fd-6))
  (export "path_rename" (func $no-fd-6))
  (export "sock_recv" (func $no-fd-6))
  (func (export "fd_advise") (param i32 i64 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_allocate") (param i32 i64 i64) (result i32) (i32.const 8))
  (func (export "fd_fdstat_set_rights") (param i32 i64 i64) (result i32) (i32.const 8))
  (func (export "fd_filestat_set_size") (param i32 i64) (result i32) (i32.const 8))
  (func (export "fd_filestat_set_times") (param i32 i64 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_pread") (param i32 i32 i32 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_pwrite") (param i32 i32 i32 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_readdir") (param i32 i32 i32 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_seek") (param i32 i64 i32 i32) (result i32) (i32.const 8))
  (func (export "path_filestat_set_times") (param i32 i32 i32 i32 i64 i64 i32) (result i32) (i32.const 8))
  (func (export "path_link") (param i32 i32 i32 i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "path_open") (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32) (i32.const 8))

  (func (export "sched_yield") (result i32) (i32.const 0))
  (func (export "proc_exit") (param i32) unreachable)
  (func (export "proc_raise") (param i32) (result i32) unreachable)

  (func (export "clock_res_get") (param $clock i32) (param $out i32) (result i32)
    (i64.store (local.get $out) (i64.const 1000000))
    (i32.const 0))
  (func (export "clock_time_get") (param $clock i32) (param $precision i64) (param $out i32) (result i32)
    (i64.store (local.get $out) (global.get $now-ns))
    (global.set $now-ns (i64.add (global.get $now-ns) (i64.const 1000000)))
    (i32.const 0))

  ;; xorshift64*, one byte at a time.
  (func (export "random_get") (param $at i32) (param $left i32) (result i32)
    (loop $bytes
      (if (local.get $left)
        (then
          (global.set $chance (i64.xor (global.get $chance) (i64.shr_u (global.get $chance) (i64.const 12))))
          (global.set $chance (i64.xor (global.get $chance) (i64.shl (global.get $chance) (i64.const 25))))
          (global.set $chance (i64.xor (global.get $chance) (i64.shr_u (global.get $chance) (i64.const 27))))
          (i64.store8 (local.get $at)
            (i64.shr_u (i64.mul (global.get $chance) (i64.const 0x2545f4914f6cdd1d)) (i64.const 56)))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (local.set $left (i32.sub (local.get $left) (i32.const 1)))
          (br $bytes))))
    (i32.const 0))

  ;; Hands on the last 4,096 bytes: no more than that are kept of a call.
  (func $hand-on (param $fd i32) (param $at i32) (param $bytes i32)
    (if (i32.gt_u (local.get $bytes) (i32.const 4096))
      (then
        (local.set $at (i32.add (local.get $at) (i32.sub (local.get $bytes) (i32.const 4096))))
        (local.set $bytes (i32.const 4096))))
    (if (local.get $bytes)
      (then (call $host-write (local.get $fd) (local.get $at) (local.get $bytes)))))

  ;; Says that all of it has been written.
  (func (export "fd_write") (param $fd i32) (param $vectors i32) (param $left i32) (param $written i32) (result i32)
    (local $bytes i32)
    (loop $next
      (if (local.get $left)
        (then
          ;; 1 or 2
          (if (i32.lt_u (i32.sub (local.get $fd) (i32.const 1)) (i32.const 2))
            (then
              (call $hand-on (local.get $fd) (i32.load (local.get $vectors)) (i32.load offset=4 (local.get $vectors)))))
          (local.set $bytes (i32.add (local.get $bytes) (i32.load offset=4 (local.get $vectors))))
          (local.set $vectors (i32.add (local.get $vectors) (i32.const 8)))
          (local.set $left (i32.sub (local.get $left) (i32.const 1)))
          (br $next))))
    (i32.store (local.get $written) (local.get $bytes))
    (i32.const 0))

  ;; Everything that is waited for has happened: an event of 32 bytes for each subscription of 48.
  (func (export "poll_oneoff") (param $wanted i32) (param $events i32) (param $count i32) (param $happened i32) (result i32)
    (i32.store (local.get $happened) (local.get $count))
    (loop $next
      (if (local.get $count)
        (then
          (i64.store (local.get $events) (i64.load (local.get $wanted)))
          (i64.store offset=8 (local.get $events) (i64.const 0))
          (i64.store offset=16 (local.get $events) (i64.const 0))
          (i64.store offset=24 (local.get $events) (i64.const 0))
          (i32.store8 offset=10 (local.get $events) (i32.load8_u offset=8 (local.get $wanted)))
          (local.set $wanted (i32.add (local.get $wanted) (i32.const 48)))
          (local.set $events (i32.add (local.get $events) (i32.const 32)))
          (local.set $count (i32.sub (local.get $count) (i32.const 1)))
          (br $next))))
    (i32.const 0))
)
