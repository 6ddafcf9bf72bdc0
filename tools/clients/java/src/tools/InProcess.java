package tools;

import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.common.utils.Exit;

/**
 * Kafka's command-line tools, one call after another in one process: a JVM for each would take most of the time of a
 * comparison. A line of standard input is a class and its arguments, separated by the unit separator; the answer is a
 * line with the exit code and the number of bytes that the tool wrote to standard output, and then those bytes.
 */
public final class InProcess {
    private static final int CALL_SECONDS = 20;

    /** As `timeout` ends. */
    private static final int NEVER_ENDED = 124;

    private InProcess() {
    }

    public static void main(String[] arguments) throws Exception {
        PrintStream answers = System.out;
        BufferedReader calls = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = calls.readLine(); line != null; line = calls.readLine()) {
            String[] words = line.split("\u001f", -1);
            ByteArrayOutputStream output = new ByteArrayOutputStream();
            PrintStream captured = new PrintStream(output, true, StandardCharsets.UTF_8);
            System.setOut(captured);
            int code = call(words[0], Arrays.copyOfRange(words, 1, words.length));
            captured.flush();
            System.setOut(answers);
            byte[] bytes = output.toByteArray();
            answers.println(code + " " + bytes.length);
            answers.write(bytes);
            answers.flush();
        }
        Runtime.getRuntime().halt(0);
    }

    /** Runs a tool in a thread of its own, which never gets beyond its exit: what stands behind it must not run. */
    private static int call(String name, String[] arguments) throws Exception {
        CompletableFuture<Integer> ended = new CompletableFuture<>();
        Exit.Procedure exit = (code, message) -> {
            ended.complete(code);
            while (true) {
                try {
                    Thread.sleep(Long.MAX_VALUE);
                } catch (InterruptedException goOn) {
                    // Nobody interrupts it for a reason.
                }
            }
        };
        Exit.setExitProcedure(exit);
        Exit.setHaltProcedure(exit);
        Method entry = Class.forName(name).getMethod("main", String[].class);
        Thread runner = new Thread(() -> {
            try {
                entry.invoke(null, (Object) arguments);
                ended.complete(0);
            } catch (InvocationTargetException failure) {
                failure.getCause().printStackTrace();
                ended.complete(1);
            } catch (IllegalAccessException failure) {
                ended.completeExceptionally(failure);
            }
        });
        runner.setDaemon(true);
        runner.start();
        try {
            return ended.get(CALL_SECONDS, TimeUnit.SECONDS);
        } catch (TimeoutException late) {
            return NEVER_ENDED;
        }
    }
}
