//! Giving back the part of a thread's stack that is not in use: a thread that waits for long should cost little.

use std::os::raw::c_void;

/// What lies below the caller's frame and may be in use (the red zone, a signal that comes just now).
const MARGIN: usize = 4096;

/// Tells the system that everything below the present frame may be forgotten. Does nothing on a process' first thread, whose
/// stack has no known end. Costs two system calls.
#[inline(never)]
pub fn release_unused() {
    // SAFETY: no preconditions.
    if unsafe { libc::gettid() == libc::getpid() } {
        return;
    }
    let mut attr = std::mem::MaybeUninit::<libc::pthread_attr_t>::uninit();
    let (mut low, mut size): (*mut c_void, usize) = (std::ptr::null_mut(), 0);
    // SAFETY: the attributes are filled in by the first call, read by the second and given back by the third.
    let known = unsafe {
        libc::pthread_getattr_np(libc::pthread_self(), attr.as_mut_ptr()) == 0 && {
            let got = libc::pthread_attr_getstack(attr.as_ptr(), &raw mut low, &raw mut size) == 0;
            libc::pthread_attr_destroy(attr.as_mut_ptr());
            got
        }
    };
    let here = std::ptr::from_ref(&attr) as usize;
    // SAFETY: no preconditions.
    let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(0);
    let low = low as usize;
    if !known || page == 0 || here < low || here - low > size {
        return;
    }
    let Some(high) = here.checked_sub(MARGIN).map(|h| h / page * page).filter(|h| *h > low) else { return };
    // SAFETY: the range is within this thread's own stack (its guard is not part of it) and below every frame that is in use:
    // the stack grows downwards, and `here` is in the innermost frame but for the call itself, which MARGIN is for.
    unsafe {
        libc::madvise(low as *mut c_void, high - low, libc::MADV_DONTNEED);
    }
}

#[cfg(test)]
mod tests {
    #[inline(never)]
    fn deep(n: usize) -> u64 {
        let block = std::hint::black_box([n as u8; 4096]);
        if n == 0 { 1 } else { deep(n - 1) + u64::from(block[n]) }
    }

    #[test]
    fn what_is_in_use_stays() {
        let thread = std::thread::spawn(|| {
            let kept = std::hint::black_box([7u8; 20000]);
            let before = deep(50);
            super::release_unused();
            assert_eq!(before, deep(50));
            assert!(kept.iter().all(|b| *b == 7));
            super::release_unused();
        });
        thread.join().unwrap();
        super::release_unused();
    }
}
