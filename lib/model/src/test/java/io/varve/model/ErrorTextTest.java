package io.varve.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ErrorTextTest {
    @Test
    void whatIsWrongWithAFileIsSaid(@TempDir Path dir) throws IOException {
        Path gone = dir.resolve("gone");
        assertThat(ErrorText.of(catchThrowable(() -> Files.readString(gone)))).isEqualTo(gone + ": no such file or directory");
        Files.createFile(dir.resolve("file"));
        assertThat(ErrorText.of(catchThrowable(() -> Files.createFile(dir.resolve("file")))))
                .isEqualTo(dir.resolve("file") + ": file exists");
        assertThat(ErrorText.of(catchThrowable(() -> Files.delete(dir)))).isEqualTo(dir + ": directory not empty");
        assertThat(ErrorText.of(catchThrowable(() -> Files.list(dir.resolve("file")))))
                .isEqualTo(dir.resolve("file") + ": not a directory");
        assertThat(ErrorText.of(new FileSystemException("a", null, "No space left on device"))).isEqualTo("a: No space left on device");
    }

    @Test
    void anErrorIsOneLine() {
        assertThat(ErrorText.of(new IOException(" two\r\nlines "))).isEqualTo("two\\nlines");
        assertThat(ErrorText.of(new IOException())).isEqualTo("java.io.IOException");
    }
}
