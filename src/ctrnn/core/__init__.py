"""What every stage needs: files that cross a stage, random streams, types of settings, small statistics."""
