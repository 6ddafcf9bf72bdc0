package clients;

import java.util.Objects;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Runs named cases one after another, says how each ended, and counts; a case that hangs fails. */
final class Suite {
    private static final int CASE_SECONDS = 90;

    private final ExecutorService runner = Executors.newCachedThreadPool(task -> {
        Thread thread = new Thread(task);
        thread.setDaemon(true);
        return thread;
    });
    private final String only;
    private int passed;
    private int failed;

    Suite(String only) {
        this.only = only;
    }

    interface Case {
        void run() throws Exception;
    }

    void run(String name, Case body) {
        if (!name.contains(only)) {
            return;
        }
        long began = System.nanoTime();
        Future<?> running = runner.submit(() -> {
            body.run();
            return null;
        });
        Throwable problem = null;
        try {
            running.get(CASE_SECONDS, TimeUnit.SECONDS);
        } catch (ExecutionException failure) {
            problem = failure.getCause();
        } catch (TimeoutException late) {
            running.cancel(true);
            problem = new AssertionError("no end after " + CASE_SECONDS + " s");
        } catch (InterruptedException stopped) {
            problem = stopped;
        }
        long millis = (System.nanoTime() - began) / 1_000_000;
        if (problem == null) {
            passed++;
            System.out.printf("PASS %s (%d ms)%n", name, millis);
        } else {
            failed++;
            System.out.printf("FAIL %s (%d ms): %s%n", name, millis, problem);
            for (StackTraceElement frame : problem.getStackTrace()) {
                if (frame.getClassName().startsWith("clients.")) {
                    System.out.println("       at " + frame);
                }
            }
        }
    }

    int finish() {
        System.out.printf("%d passed, %d failed%n", passed, failed);
        return failed == 0 ? 0 : 1;
    }

    static void check(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }

    static void equal(Object expected, Object actual, String what) {
        if (!Objects.equals(expected, actual)) {
            throw new AssertionError(what + ": " + actual + " where " + expected + " was expected");
        }
    }

    /** Runs a body that must fail with this exception, alone or as a cause. */
    static <E extends Throwable> E failsWith(Class<E> kind, Case body) {
        try {
            body.run();
        } catch (Throwable thrown) {
            for (Throwable cause = thrown; cause != null; cause = cause.getCause()) {
                if (kind.isInstance(cause)) {
                    return kind.cast(cause);
                }
            }
            throw new AssertionError(kind.getSimpleName() + " was expected, not " + thrown, thrown);
        }
        throw new AssertionError(kind.getSimpleName() + " was expected, and nothing failed");
    }

    interface Condition {
        boolean holds() throws Exception;
    }

    /** Waits for a condition, with a bound. */
    static void eventually(String what, Condition condition) throws Exception {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(40);
        while (!condition.holds()) {
            check(System.nanoTime() < end, "never: " + what);
            Thread.sleep(20);
        }
    }
}
